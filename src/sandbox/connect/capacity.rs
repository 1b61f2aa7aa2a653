//! The capacity of a connector, and the ranges that MSK Connect allows
//! (<https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-connectors.html>).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sandbox::call::Refusal;
use crate::sandbox::rest_json::bad_request;
use crate::sandbox::rest_json::shape::{INTEGER, Member, Shape, optional, required};

const MCUS: [i64; 4] = [1, 2, 4, 8];
const MAX_WORKERS: i64 = 10;

const POLICY: Shape = Shape::Object(&[required("cpuUtilizationPercentage", Shape::Whole { min: 1, max: 100 })]);
const MCU_COUNT: Member = required("mcuCount", Shape::Whole { min: 1, max: 8 });
const PROVISIONED: Member =
    optional("provisionedCapacity", Shape::Object(&[MCU_COUNT, required("workerCount", INTEGER)]));

/// CreateConnector's shape: the policies may be left out.
pub(super) const CREATE: Shape = Shape::Object(&[
    PROVISIONED,
    optional(
        "autoScaling",
        Shape::Object(&[
            MCU_COUNT,
            required("minWorkerCount", INTEGER),
            required("maxWorkerCount", INTEGER),
            optional("scaleInPolicy", POLICY),
            optional("scaleOutPolicy", POLICY),
            optional("maxAutoscalingTaskCount", INTEGER),
        ]),
    ),
]);

/// UpdateConnector's shape.
pub(super) const UPDATE: Shape = Shape::Object(&[
    PROVISIONED,
    optional(
        "autoScaling",
        Shape::Object(&[
            MCU_COUNT,
            required("minWorkerCount", INTEGER),
            required("maxWorkerCount", INTEGER),
            required("scaleInPolicy", POLICY),
            required("scaleOutPolicy", POLICY),
            optional("maxAutoscalingTaskCount", INTEGER),
        ]),
    ),
]);

/// How much a connector may use: serialised as the API has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Capacity {
    /// A number of workers that follows the load.
    AutoScaling(AutoScaling),
    /// A fixed number of workers.
    ProvisionedCapacity(Provisioned),
}

/// Workers that come and go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutoScaling {
    mcu_count: i64,
    min_worker_count: i64,
    max_worker_count: i64,
    #[serde(default = "default_scale_in")]
    scale_in_policy: Policy,
    #[serde(default = "default_scale_out")]
    scale_out_policy: Policy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_autoscaling_task_count: Option<i64>,
}

/// Workers that stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Provisioned {
    mcu_count: i64,
    worker_count: i64,
}

/// When to scale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    cpu_utilization_percentage: i64,
}

/// The console's own values.
fn default_scale_in() -> Policy {
    Policy { cpu_utilization_percentage: 20 }
}

fn default_scale_out() -> Policy {
    Policy { cpu_utilization_percentage: 80 }
}

impl Capacity {
    /// Reads a capacity whose shape was checked.
    ///
    /// # Errors
    /// `BadRequestException` where it isn't exactly one of the two, or out of range.
    pub(super) fn parse(value: &Value) -> Result<Self, Refusal> {
        let capacity: Self = serde_json::from_value(value.clone()).map_err(|_| {
            bad_request("Invalid parameter capacity: specify exactly one of autoScaling and provisionedCapacity.")
        })?;
        capacity.check().map_err(|fault| bad_request(format!("Invalid parameter {fault}.")))?;
        Ok(capacity)
    }

    fn check(&self) -> Result<(), String> {
        let mcus = match self {
            Self::AutoScaling(scaling) => scaling.mcu_count,
            Self::ProvisionedCapacity(provisioned) => provisioned.mcu_count,
        };
        if !MCUS.contains(&mcus) {
            return Err(format!("mcuCount: valid values are 1, 2, 4 and 8, got {mcus}"));
        }
        match self {
            Self::AutoScaling(scaling) => scaling.check(),
            Self::ProvisionedCapacity(provisioned) => check_workers("workerCount", provisioned.worker_count),
        }
    }

    /// How many workers it can come to, which is what counts against the quota.
    pub(super) fn workers(&self) -> usize {
        let workers = match self {
            Self::AutoScaling(scaling) => scaling.max_worker_count,
            Self::ProvisionedCapacity(provisioned) => provisioned.worker_count,
        };
        usize::try_from(workers).unwrap_or(0)
    }
}

impl AutoScaling {
    fn check(&self) -> Result<(), String> {
        check_workers("minWorkerCount", self.min_worker_count)?;
        check_workers("maxWorkerCount", self.max_worker_count)?;
        if self.min_worker_count > self.max_worker_count {
            return Err("minWorkerCount: must not be more than maxWorkerCount".to_owned());
        }
        if self.scale_in_policy.cpu_utilization_percentage >= self.scale_out_policy.cpu_utilization_percentage {
            return Err("scaleInPolicy: its CPU utilization must be lower than that of scaleOutPolicy".to_owned());
        }
        if self.max_autoscaling_task_count.is_some_and(|tasks| tasks < self.max_worker_count) {
            return Err("maxAutoscalingTaskCount: must be at least equal to maxWorkerCount".to_owned());
        }
        Ok(())
    }
}

fn check_workers(member: &str, workers: i64) -> Result<(), String> {
    if (1..=MAX_WORKERS).contains(&workers) {
        return Ok(());
    }
    Err(format!("{member}: must be from 1 to {MAX_WORKERS}, got {workers}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::Capacity;
    use serde_json::json;

    #[test]
    fn a_capacity_is_read_and_told_alike() {
        let fixed = json!({"provisionedCapacity": {"mcuCount": 2, "workerCount": 3}});
        let capacity = Capacity::parse(&fixed).unwrap();
        assert_eq!((serde_json::to_value(&capacity).unwrap(), capacity.workers()), (fixed, 3));
        let scaling =
            Capacity::parse(&json!({"autoScaling": {"mcuCount": 1, "minWorkerCount": 1, "maxWorkerCount": 4}}))
                .unwrap();
        assert_eq!(scaling.workers(), 4);
        assert_eq!(
            serde_json::to_value(&scaling).unwrap()["autoScaling"]["scaleInPolicy"]["cpuUtilizationPercentage"],
            20
        );
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let scaling = |min: i64, max: i64, low: i64, high: i64, tasks: i64| {
            json!({"autoScaling": {
                "mcuCount": 1, "minWorkerCount": min, "maxWorkerCount": max, "maxAutoscalingTaskCount": tasks,
                "scaleInPolicy": {"cpuUtilizationPercentage": low}, "scaleOutPolicy": {"cpuUtilizationPercentage": high},
            }})
        };
        assert!(Capacity::parse(&scaling(1, 2, 20, 80, 2)).is_ok());
        for wrong in [
            json!({}),
            json!({"provisionedCapacity": {"mcuCount": 3, "workerCount": 1}}),
            json!({"provisionedCapacity": {"mcuCount": 1, "workerCount": 11}}),
            json!({"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}, "autoScaling": {}}),
            scaling(0, 2, 20, 80, 2),
            scaling(3, 2, 20, 80, 2),
            scaling(1, 2, 80, 20, 2),
            scaling(1, 2, 20, 80, 1),
        ] {
            assert_eq!(Capacity::parse(&wrong).unwrap_err().code, "BadRequestException", "{wrong}");
        }
    }
}
