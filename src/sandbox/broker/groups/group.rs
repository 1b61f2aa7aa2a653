//! One group: the states and transitions of Kafka's `GroupCoordinator`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::messages::{Assignment, Joined, Joining, NotJoined};

/// `group.min.session.timeout.ms` and `group.max.session.timeout.ms` of Kafka's brokers.
const SESSION_TIMEOUTS: std::ops::RangeInclusive<i32> = 6_000..=1_800_000;

/// A member of a group.
#[derive(Clone, Debug)]
pub(in crate::sandbox::broker) struct Member {
    pub(in crate::sandbox::broker) instance: Option<String>,
    pub(in crate::sandbox::broker) client_id: String,
    pub(in crate::sandbox::broker) host: String,
    session_timeout: Duration,
    rebalance_timeout: Duration,
    protocols: Vec<(String, Bytes)>,
    pub(in crate::sandbox::broker) assignment: Bytes,
    seen: Instant,
    /// Whether it waits to hear that all have joined.
    waits: bool,
}

impl Member {
    fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Empty,
    /// Members are joining, until then.
    Preparing(Deadline),
    /// The leader is deciding.
    Completing,
    Stable,
}

/// When members that have not joined again are out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Deadline(Instant);

/// A group.
#[derive(Debug, Default)]
pub(in crate::sandbox::broker) struct Group {
    state: State,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Ids that were given to members that have not come back with them yet.
    expected: Vec<(String, Instant)>,
    round: u64,
}

impl Group {
    /// Another number after each transition.
    pub(super) fn round(&self) -> u64 {
        self.round
    }

    /// Whether nobody is in it.
    pub(in crate::sandbox::broker) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// As Kafka's tools show it.
    pub(in crate::sandbox::broker) fn label(&self) -> &'static str {
        match self.state {
            State::Empty => "Empty",
            State::Preparing(_) => "PreparingRebalance",
            State::Completing => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }

    /// `consumer`, as a rule.
    pub(in crate::sandbox::broker) fn protocol_type(&self) -> &str {
        &self.protocol_type
    }

    /// The assignor that was chosen; empty before.
    pub(in crate::sandbox::broker) fn protocol(&self) -> &str {
        if self.state == State::Stable { &self.protocol } else { "" }
    }

    /// The members, with what each told of itself under the chosen protocol.
    pub(in crate::sandbox::broker) fn members(&self) -> impl Iterator<Item = (&str, &Member, Bytes)> {
        self.members.iter().map(|(id, member)| (id.as_str(), member, member.metadata(&self.protocol)))
    }

    fn goes_to(&mut self, state: State) {
        self.state = state;
        self.round += 1;
    }

    /// Throws out who has been silent for too long, and lets a rebalance end whose time is up, or for which all are in.
    pub(super) fn advance(&mut self, now: Instant) {
        self.expected.retain(|(_, until)| now < *until);
        let silent = |member: &Member| !member.waits && now.duration_since(member.seen) > member.session_timeout;
        let gone: Vec<String> =
            self.members.iter().filter(|(_, member)| silent(member)).map(|(id, _)| id.clone()).collect();
        if !gone.is_empty() {
            self.without(&gone, now);
        }
        if let State::Preparing(Deadline(deadline)) = self.state {
            if now >= deadline {
                self.members.retain(|_, member| member.waits || member.instance.is_some());
                // Those that are away keep their place until their session ends.
                self.members.values_mut().for_each(|member| member.waits = true);
            }
            if self.members.is_empty() {
                self.goes_to(State::Empty);
            } else if self.members.values().all(|member| member.waits) {
                self.complete(now);
            }
        }
    }

    fn without(&mut self, gone: &[String], now: Instant) {
        self.members.retain(|id, _| !gone.contains(id));
        if self.members.is_empty() {
            self.goes_to(State::Empty);
        } else {
            self.prepare(now);
        }
    }

    /// Calls everybody to join again.
    fn prepare(&mut self, now: Instant) {
        if matches!(self.state, State::Preparing(_)) {
            return;
        }
        let longest = self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default();
        self.goes_to(State::Preparing(Deadline(now + longest)));
    }

    /// All are in: a new generation begins.
    fn complete(&mut self, now: Instant) {
        self.generation += 1;
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        self.protocol = self.elect();
        for member in self.members.values_mut() {
            member.waits = false;
            member.seen = now;
            member.assignment = Bytes::new();
        }
        self.goes_to(State::Completing);
    }

    /// The protocol that all know and most prefer.
    fn elect(&self) -> String {
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| self.is_known_to_all(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(name, _)| name.to_owned()).unwrap_or_default()
    }

    fn is_known_to_all(&self, protocol: &str) -> bool {
        self.members.values().all(|member| member.protocols.iter().any(|(name, _)| name == protocol))
    }

    /// Takes in a request to join, and tells the member's id.
    ///
    /// # Errors
    /// Kafka's. `MemberIdRequired` comes with the id.
    pub(super) fn join(&mut self, joining: Joining, now: Instant) -> Result<String, NotJoined> {
        if !SESSION_TIMEOUTS.contains(&joining.session_timeout) {
            return Err(ResponseError::InvalidSessionTimeout.into());
        }
        let fits = self.members.is_empty()
            || joining.protocol_type == self.protocol_type
                && joining.protocols.iter().any(|(name, _)| self.is_known_to_all(name));
        if joining.protocols.is_empty() || joining.protocol_type.is_empty() || !fits {
            return Err(ResponseError::InconsistentGroupProtocol.into());
        }
        let id = self.identify(&joining, now)?;
        if self.members.is_empty() {
            self.protocol_type.clone_from(&joining.protocol_type);
        }
        let millis = |millis: i32| Duration::from_millis(u64::try_from(millis).unwrap_or_default());
        let protocols = joining.protocols;
        // A leader that joins again once all is settled wants to share anew; before that it only repeats itself.
        let leads = self.leader == id && self.state == State::Stable;
        let is_news = self.members.get(&id).is_none_or(|member| member.protocols != protocols) || leads;
        let kept = self.members.get(&id).map(|member| member.assignment.clone()).unwrap_or_default();
        let settled = matches!(self.state, State::Stable | State::Completing);
        let member = Member {
            instance: joining.instance,
            client_id: joining.client_id,
            host: joining.host,
            session_timeout: millis(joining.session_timeout),
            rebalance_timeout: millis(joining.rebalance_timeout),
            protocols,
            assignment: kept,
            seen: now,
            waits: is_news || !settled,
        };
        self.members.insert(id.clone(), member);
        if is_news || !settled {
            self.prepare(now);
        }
        Ok(id)
    }

    /// Which member a request to join is of.
    fn identify(&mut self, joining: &Joining, now: Instant) -> Result<String, NotJoined> {
        if let Some(instance) = &joining.instance {
            let known = self.members.iter().find(|(_, member)| member.instance.as_ref() == Some(instance));
            let known = known.map(|(id, _)| id.clone());
            return match known {
                Some(id) if joining.member == id => Ok(id),
                Some(_) if !joining.member.is_empty() => Err(ResponseError::FencedInstanceId.into()),
                // It was started again: it takes the place of what it was before.
                Some(old) => {
                    self.members.remove(&old);
                    Ok(new_id(instance))
                }
                None if joining.member.is_empty() => Ok(new_id(instance)),
                None => Err(ResponseError::UnknownMemberId.into()),
            };
        }
        if joining.member.is_empty() {
            let id = new_id(&joining.client_id);
            if joining.asks_back {
                let session = Duration::from_millis(u64::try_from(joining.session_timeout).unwrap_or_default());
                self.expected.push((id.clone(), now + session));
                return Err(NotJoined { error: ResponseError::MemberIdRequired, member: id });
            }
            return Ok(id);
        }
        if let Some(place) = self.expected.iter().position(|(id, _)| *id == joining.member) {
            return Ok(self.expected.swap_remove(place).0);
        }
        if self.members.contains_key(&joining.member) {
            return Ok(joining.member.clone());
        }
        Err(ResponseError::UnknownMemberId.into())
    }

    /// What a member that asked to join is told; None while others are still expected.
    pub(super) fn joined(&self, id: &str) -> Option<Result<Joined, ResponseError>> {
        let Some(member) = self.members.get(id) else { return Some(Err(ResponseError::UnknownMemberId)) };
        if member.waits {
            return None;
        }
        let tell =
            |(id, member): (&String, &Member)| (id.clone(), member.instance.clone(), member.metadata(&self.protocol));
        Some(Ok(Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member: id.to_owned(),
            members: if id == self.leader { self.members.iter().map(tell).collect() } else { Vec::new() },
        }))
    }

    /// Sees that an instance is still the member that it says it is, and was not started again elsewhere.
    pub(in crate::sandbox::broker) fn fence(&self, id: &str, instance: Option<&str>) -> Result<(), ResponseError> {
        let Some(instance) = instance else { return Ok(()) };
        let holder = self.members.iter().find(|(_, member)| member.instance.as_deref() == Some(instance));
        match holder {
            None => Err(ResponseError::UnknownMemberId),
            Some((holder, _)) if holder != id => Err(ResponseError::FencedInstanceId),
            Some(_) => Ok(()),
        }
    }

    /// Sees that a member is of the present generation, and notes that it is alive.
    pub(in crate::sandbox::broker) fn check(
        &mut self,
        id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let member = self.members.get_mut(id).ok_or(ResponseError::UnknownMemberId)?;
        if generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        member.seen = now;
        Ok(())
    }

    /// Takes in what a member has to say about who gets what: the leader decides, the others say nothing.
    pub(super) fn assign(
        &mut self,
        id: &str,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check(id, generation, now)?;
        if self.state == State::Completing && id == self.leader {
            for (id, assignment) in assignments {
                if let Some(member) = self.members.get_mut(&id) {
                    member.assignment = assignment;
                }
            }
            self.goes_to(State::Stable);
        }
        Ok(())
    }

    /// What a member is told that waits for the leader's decision; None while there is none.
    pub(super) fn assignment(
        &mut self,
        id: &str,
        generation: i32,
        now: Instant,
    ) -> Option<Result<Assignment, ResponseError>> {
        if let Err(error) = self.check(id, generation, now) {
            return Some(Err(error));
        }
        match self.state {
            State::Completing => None,
            State::Stable => Some(Ok(Assignment {
                protocol_type: self.protocol_type.clone(),
                protocol: self.protocol.clone(),
                bytes: self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default(),
            })),
            State::Empty | State::Preparing(_) => Some(Err(ResponseError::RebalanceInProgress)),
        }
    }

    /// A member says that it is alive.
    ///
    /// # Errors
    /// `RebalanceInProgress` where it has to join again.
    pub(in crate::sandbox::broker) fn heartbeat(
        &mut self,
        id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        self.check(id, generation, now)?;
        if matches!(self.state, State::Preparing(_)) { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// A member leaves, by its id, or by its instance where it has no id to tell.
    ///
    /// # Errors
    /// `UnknownMemberId`.
    pub(in crate::sandbox::broker) fn leave(
        &mut self,
        id: &str,
        instance: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let is_meant = |(of, member): &(&String, &Member)| match instance {
            Some(instance) => member.instance.as_deref() == Some(instance),
            None => *of == id,
        };
        let gone = self.members.iter().find(is_meant).map(|(id, _)| id.clone());
        let gone = gone.ok_or(ResponseError::UnknownMemberId)?;
        self.without(&[gone], now);
        Ok(())
    }

    /// Whether an offset may be committed: by a member of the present generation, or by somebody outside while nobody
    /// is in.
    pub(in crate::sandbox::broker) fn may_commit(
        &mut self,
        id: &str,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if generation < 0 && id.is_empty() {
            return if self.members.is_empty() { Ok(()) } else { Err(ResponseError::UnknownMemberId) };
        }
        self.check(id, generation, now)?;
        if self.state == State::Completing { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }
}

fn new_id(of: &str) -> String {
    format!("{of}-{}", Uuid::new_v4())
}

#[cfg(test)]
mod tests;
