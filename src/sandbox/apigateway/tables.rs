//! Where everything is kept. Keys that belong to a region start with it, and keys of what belongs to an API start with
//! the API's id, so that a region sees only its own things and an API goes with all that it has.
//!
//! | table | key |
//! | --- | --- |
//! | `apigateway/apis` | region/api |
//! | `apigateway/resources` | api/resource; with its methods and integrations |
//! | `apigateway/gateway-responses` | api/type; those that somebody set |
//! | `apigateway/deployments`, `apigateway/snapshots` | api/deployment |
//! | `apigateway/stages` | api/stage |
//! | `apigateway/keys` | region/key |
//! | `apigateway/plans` | region/plan |
//! | `apigateway/plan-keys` | region/plan/key |
//! | `apigateway/rates` | operation |

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::model::{ApiKey, GatewayResponse, Method, Resource, RestApi, Stage, UsagePlan};
use super::refusal::{no_api, no_key, no_method, no_plan, no_resource, no_stage};
use super::tree::Tree;
use crate::sandbox::call::Refusal;
use crate::sandbox::store::Transaction;
use crate::sandbox::world::{INVOKE, PORTS};

pub(super) const APIS: &str = "apigateway/apis";
const RESOURCES: &str = "apigateway/resources";
const GATEWAY_RESPONSES: &str = "apigateway/gateway-responses";
pub(super) const DEPLOYMENTS: &str = "apigateway/deployments";
pub(super) const SNAPSHOTS: &str = "apigateway/snapshots";
pub(super) const STAGES: &str = "apigateway/stages";
pub(super) const KEYS: &str = "apigateway/keys";
pub(super) const PLANS: &str = "apigateway/plans";
pub(super) const PLAN_KEYS: &str = "apigateway/plan-keys";
pub(super) const RATES: &str = "apigateway/rates";

/// The tables of one region, within a transaction.
pub(super) struct Tables<'a, 't> {
    transaction: &'a mut Transaction<'t>,
    region: &'a str,
}

impl<'a, 't> Tables<'a, 't> {
    pub(super) fn new(transaction: &'a mut Transaction<'t>, region: &'a str) -> Self {
        Self { transaction, region }
    }

    pub(super) fn region(&self) -> &str {
        self.region
    }

    pub(super) fn get<T: DeserializeOwned>(&self, table: &str, owner: &str, id: &str) -> Option<T> {
        self.transaction.get(table, &format!("{owner}/{id}"))
    }

    pub(super) fn put(&mut self, table: &str, owner: &str, id: &str, record: &impl Serialize) -> Result<(), Refusal> {
        Ok(self.transaction.put(table, &format!("{owner}/{id}"), record)?)
    }

    pub(super) fn remove(&mut self, table: &str, owner: &str, id: &str) {
        self.transaction.delete(table, &format!("{owner}/{id}"));
    }

    /// What belongs to an owner, by id and ordered by it.
    pub(super) fn of<T: DeserializeOwned>(&self, table: &str, owner: &str) -> Vec<(String, T)> {
        let prefix = format!("{owner}/");
        let records = self.transaction.list_prefix(table, &prefix, "").into_iter();
        records.map(|(key, record)| (key[prefix.len()..].to_owned(), record)).collect()
    }

    pub(super) fn remove_all_of(&mut self, table: &str, owner: &str) {
        for (id, IgnoredAny) in self.of(table, owner) {
            self.remove(table, owner, &id);
        }
    }

    pub(super) fn api(&self, id: &str) -> Result<RestApi, Refusal> {
        self.get(APIS, self.region, id).ok_or_else(|| no_api(id))
    }

    /// The APIs of the region, by id.
    pub(super) fn apis(&self) -> Vec<(String, RestApi)> {
        self.of(APIS, self.region)
    }

    pub(super) fn put_api(&mut self, api: &RestApi) -> Result<(), Refusal> {
        self.put(APIS, self.region, &api.id, api)
    }

    /// Removes an API and everything that it has.
    pub(super) fn remove_api(&mut self, id: &str) -> Result<(), Refusal> {
        for (stage, IgnoredAny) in self.of(STAGES, id) {
            self.remove_stage(id, &stage)?;
        }
        for table in [RESOURCES, GATEWAY_RESPONSES, DEPLOYMENTS, SNAPSHOTS] {
            self.remove_all_of(table, id);
        }
        self.remove(APIS, self.region, id);
        // Ids don't come back, so neither does the address.
        self.transaction.delete(PORTS, &format!("{INVOKE}{id}"));
        Ok(())
    }

    /// All resources of an API that exists.
    pub(super) fn tree(&self, api_id: &str) -> Tree {
        Tree::new(self.of(RESOURCES, api_id))
    }

    /// A resource; where its API isn't in this region, neither is it.
    pub(super) fn resource(&self, api_id: &str, id: &str) -> Result<Resource, Refusal> {
        self.api(api_id).map_err(|_| no_resource())?;
        self.get(RESOURCES, api_id, id).ok_or_else(no_resource)
    }

    pub(super) fn put_resource(&mut self, api_id: &str, resource: &Resource) -> Result<(), Refusal> {
        self.put(RESOURCES, api_id, &resource.id, resource)
    }

    pub(super) fn remove_resource(&mut self, api_id: &str, id: &str) {
        self.remove(RESOURCES, api_id, id);
    }

    pub(super) fn method(&self, api_id: &str, resource_id: &str, http_method: &str) -> Result<Method, Refusal> {
        self.resource(api_id, resource_id)?.resource_methods.remove(http_method).ok_or_else(no_method)
    }

    /// Changes a method, and returns what `change` does.
    pub(super) fn change_method<R>(
        &mut self,
        api_id: &str,
        resource_id: &str,
        http_method: &str,
        change: impl FnOnce(&mut Method) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let mut resource = self.resource(api_id, resource_id)?;
        let method = resource.resource_methods.get_mut(http_method).ok_or_else(no_method)?;
        let result = change(method)?;
        self.put_resource(api_id, &resource)?;
        Ok(result)
    }

    /// The gateway responses that somebody set.
    pub(super) fn gateway_responses(&self, api_id: &str) -> Vec<(String, GatewayResponse)> {
        self.of(GATEWAY_RESPONSES, api_id)
    }

    pub(super) fn put_gateway_response(&mut self, api_id: &str, response: &GatewayResponse) -> Result<(), Refusal> {
        self.put(GATEWAY_RESPONSES, api_id, &response.response_type, response)
    }

    pub(super) fn remove_gateway_response(&mut self, api_id: &str, response_type: &str) {
        self.remove(GATEWAY_RESPONSES, api_id, response_type);
    }

    pub(super) fn stage(&self, api_id: &str, name: &str) -> Result<Stage, Refusal> {
        self.api(api_id).map_err(|_| no_stage())?;
        self.get(STAGES, api_id, name).ok_or_else(no_stage)
    }

    pub(super) fn put_stage(&mut self, api_id: &str, stage: &Stage) -> Result<(), Refusal> {
        self.put(STAGES, api_id, &stage.stage_name, stage)
    }

    /// Removes a stage, and its place in usage plans.
    pub(super) fn remove_stage(&mut self, api_id: &str, name: &str) -> Result<(), Refusal> {
        for (_, mut plan) in self.plans() {
            let before = plan.api_stages.len();
            plan.api_stages.retain(|stage| stage.api_id != api_id || stage.stage != name);
            if plan.api_stages.len() < before {
                self.put_plan(&plan)?;
            }
        }
        self.remove(STAGES, api_id, name);
        Ok(())
    }

    pub(super) fn key(&self, id: &str) -> Result<ApiKey, Refusal> {
        self.get(KEYS, self.region, id).ok_or_else(no_key)
    }

    pub(super) fn keys(&self) -> Vec<(String, ApiKey)> {
        self.of(KEYS, self.region)
    }

    pub(super) fn put_key(&mut self, key: &ApiKey) -> Result<(), Refusal> {
        self.put(KEYS, self.region, &key.id, key)
    }

    pub(super) fn plan(&self, id: &str) -> Result<UsagePlan, Refusal> {
        self.get(PLANS, self.region, id).ok_or_else(no_plan)
    }

    pub(super) fn plans(&self) -> Vec<(String, UsagePlan)> {
        self.of(PLANS, self.region)
    }

    pub(super) fn put_plan(&mut self, plan: &UsagePlan) -> Result<(), Refusal> {
        self.put(PLANS, self.region, &plan.id, plan)
    }

    /// What the keys of a plan are kept under.
    pub(super) fn plan_owner(&self, plan_id: &str) -> String {
        format!("{}/{plan_id}", self.region)
    }

    /// The ids of a plan's keys.
    pub(super) fn keys_of_plan(&self, plan_id: &str) -> Vec<String> {
        self.of(PLAN_KEYS, &self.plan_owner(plan_id)).into_iter().map(|(id, IgnoredAny)| id).collect()
    }
}
