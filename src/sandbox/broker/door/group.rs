//! Consumer groups, as clients come to them: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and what tools ask.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsRequest, ListGroupsResponse, SyncGroupRequest, SyncGroupResponse,
};

use super::rights::{Action, Rights};
use super::{Session, code, text};
use crate::sandbox::broker::groups::{Group, Joining, NotJoined, Shared};
use crate::sandbox::broker::offsets;

/// Since this version one who is new is given an id first, and comes back with it.
const ASKS_BACK: i16 = 4;
/// Since this version several members may leave in a request.
const SEVERAL_LEAVE: i16 = 3;
const NOT_ASKED: i32 = i32::MIN;

impl Session {
    /// A group that this broker coordinates, for a member.
    fn group(&self, group: &str, rights: &Rights<'_>) -> Result<Arc<Shared>, ResponseError> {
        rights.check(Action::AlterGroup, group)?;
        self.coordinates(group)?;
        Ok(self.world.groups.get(&self.broker.cluster.arn, group))
    }

    /// Sees that this is the broker to ask about a group.
    pub(super) fn coordinates(&self, group: &str) -> Result<(), ResponseError> {
        if group.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        match self.coordinator(group) {
            Some(broker) if broker.id == self.broker.id => Ok(()),
            _ => Err(ResponseError::NotCoordinator),
        }
    }

    pub(super) async fn join_group(
        &self,
        request: JoinGroupRequest,
        version: i16,
        client: &str,
        rights: &Rights<'_>,
    ) -> JoinGroupResponse {
        let joining = Joining {
            member: request.member_id.to_string(),
            instance: request.group_instance_id.as_ref().map(ToString::to_string),
            client_id: client.to_owned(),
            host: self.host.clone(),
            session_timeout: request.session_timeout_ms,
            rebalance_timeout: if version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms },
            protocol_type: request.protocol_type.to_string(),
            protocols: request
                .protocols
                .into_iter()
                .map(|protocol| (protocol.name.to_string(), protocol.metadata))
                .collect(),
            asks_back: version >= ASKS_BACK,
        };
        let joined = match self.group(&request.group_id, rights) {
            Ok(group) => group.join(joining).await,
            Err(error) => Err(error.into()),
        };
        match joined {
            Ok(joined) => JoinGroupResponse::default()
                .with_generation_id(joined.generation)
                .with_protocol_type(Some(text(&joined.protocol_type)))
                .with_protocol_name(Some(text(&joined.protocol)))
                .with_leader(text(&joined.leader))
                .with_member_id(text(&joined.member))
                .with_members(joined.members.into_iter().map(other).collect()),
            Err(NotJoined { error, member }) => JoinGroupResponse::default()
                .with_error_code(error.code())
                .with_generation_id(-1)
                // Versions before 7 can't leave it out.
                .with_protocol_name(Some(text("")))
                .with_member_id(if member.is_empty() { request.member_id } else { text(&member) }),
        }
    }

    pub(super) async fn sync_group(&self, request: SyncGroupRequest, rights: &Rights<'_>) -> SyncGroupResponse {
        let assignments: Vec<(String, Bytes)> =
            request.assignments.into_iter().map(|each| (each.member_id.to_string(), each.assignment)).collect();
        let assigned = match self.group(&request.group_id, rights) {
            Ok(group) => {
                let instance = request.group_instance_id.as_deref();
                group.sync(&request.member_id, instance, request.generation_id, assignments).await
            }
            Err(error) => Err(error),
        };
        match assigned {
            Ok(assigned) => SyncGroupResponse::default()
                .with_protocol_type(Some(text(&assigned.protocol_type)))
                .with_protocol_name(Some(text(&assigned.protocol)))
                .with_assignment(assigned.bytes),
            Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
        }
    }

    pub(super) fn heartbeat(&self, request: &HeartbeatRequest, rights: &Rights<'_>) -> HeartbeatResponse {
        let beat = |group: Arc<Shared>| {
            group.change(|group, now| {
                group.fence(&request.member_id, request.group_instance_id.as_deref())?;
                group.heartbeat(&request.member_id, request.generation_id, now)
            })
        };
        let outcome = self.group(&request.group_id, rights).and_then(beat);
        HeartbeatResponse::default().with_error_code(code(&outcome))
    }

    pub(super) fn leave_group(
        &self,
        request: LeaveGroupRequest,
        version: i16,
        rights: &Rights<'_>,
    ) -> LeaveGroupResponse {
        let group = match self.group(&request.group_id, rights) {
            Ok(group) => group,
            Err(error) => return LeaveGroupResponse::default().with_error_code(error.code()),
        };
        let leave = |id: &str, instance: Option<&str>| group.change(|group, now| group.leave(id, instance, now));
        if version < SEVERAL_LEAVE {
            return LeaveGroupResponse::default().with_error_code(code(&leave(&request.member_id, None)));
        }
        let members = request.members.into_iter().map(|MemberIdentity { member_id, group_instance_id, .. }| {
            let outcome = leave(&member_id, group_instance_id.as_deref());
            MemberResponse::default()
                .with_error_code(code(&outcome))
                .with_member_id(member_id)
                .with_group_instance_id(group_instance_id)
        });
        LeaveGroupResponse::default().with_members(members.collect())
    }

    pub(super) fn describe_groups(
        &self,
        request: &DescribeGroupsRequest,
        rights: &Rights<'_>,
    ) -> DescribeGroupsResponse {
        let describe = |id: &GroupId| {
            let described = DescribedGroup::default().with_group_id(id.clone()).with_authorized_operations(NOT_ASKED);
            let may = rights.check(Action::DescribeGroup, id).and_then(|()| self.coordinates(id));
            if let Err(error) = may {
                return described.with_error_code(error.code());
            }
            let cluster = &self.broker.cluster;
            let alive = self.world.groups.find(&cluster.arn, id);
            let alive = alive.filter(|group| group.change(|group, _| !group.is_empty()));
            match alive {
                Some(group) => group.look(|group| told(described, group)),
                None if offsets::groups(&self.world, cluster).contains(id.as_str()) => {
                    described.with_group_state(text("Empty"))
                }
                None => described.with_group_state(text("Dead")),
            }
        };
        DescribeGroupsResponse::default().with_groups(request.groups.iter().map(describe).collect())
    }

    pub(super) fn list_groups(&self, request: &ListGroupsRequest, rights: &Rights<'_>) -> ListGroupsResponse {
        let cluster = &self.broker.cluster;
        let mut names = offsets::groups(&self.world, cluster);
        names.extend(self.world.groups.names(&cluster.arn));
        // A client asks every broker, each of which tells the groups that it coordinates.
        let ours = names.into_iter().filter(|name| self.coordinates(name).is_ok());
        // Who may see the cluster sees all of its groups.
        let sees_all = rights.has(Action::DescribeCluster, "");
        let ours = ours.filter(|name| sees_all || rights.has(Action::DescribeGroup, name));
        let groups = ours.map(|name| {
            let (state, kind) = match self.world.groups.find(&cluster.arn, &name) {
                Some(group) => group.look(|group| (group.label(), group.protocol_type().to_owned())),
                None => ("Empty", "consumer".to_owned()),
            };
            ListedGroup::default()
                .with_group_id(GroupId(text(&name)))
                .with_protocol_type(text(&kind))
                .with_group_state(text(state))
        });
        let wanted = |group: &ListedGroup| {
            let states = &request.states_filter;
            states.is_empty() || states.iter().any(|state| state.eq_ignore_ascii_case(&group.group_state))
        };
        ListGroupsResponse::default().with_groups(groups.filter(wanted).collect())
    }

    pub(super) fn delete_groups(&self, request: &DeleteGroupsRequest, rights: &Rights<'_>) -> DeleteGroupsResponse {
        let delete = |id: &GroupId| {
            let outcome = rights.check(Action::DeleteGroup, id).and_then(|()| self.delete_group(id));
            DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code(&outcome))
        };
        DeleteGroupsResponse::default().with_results(request.groups_names.iter().map(delete).collect())
    }

    fn delete_group(&self, id: &str) -> Result<(), ResponseError> {
        self.coordinates(id)?;
        let cluster = &self.broker.cluster;
        let alive = self.world.groups.find(&cluster.arn, id);
        if alive.is_some_and(|group| group.change(|group, _| !group.is_empty())) {
            return Err(ResponseError::NonEmptyGroup);
        }
        if !offsets::groups(&self.world, cluster).contains(id) {
            return Err(ResponseError::GroupIdNotFound);
        }
        self.world.groups.remove(&cluster.arn, id);
        offsets::forget_group(&self.world, cluster, id).map_err(|_| ResponseError::KafkaStorageError)
    }
}

fn other((id, instance, metadata): (String, Option<String>, Bytes)) -> JoinGroupResponseMember {
    JoinGroupResponseMember::default()
        .with_member_id(text(&id))
        .with_group_instance_id(instance.as_deref().map(text))
        .with_metadata(metadata)
}

fn told(described: DescribedGroup, group: &Group) -> DescribedGroup {
    let members = group.members().map(|(id, member, metadata)| {
        DescribedGroupMember::default()
            .with_member_id(text(id))
            .with_group_instance_id(member.instance.as_deref().map(text))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.host))
            .with_member_metadata(metadata)
            .with_member_assignment(member.assignment.clone())
    });
    described
        .with_group_state(text(group.label()))
        .with_protocol_type(text(group.protocol_type()))
        .with_protocol_data(text(group.protocol()))
        .with_members(members.collect())
}
