#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn joining(member: &str) -> Joining {
    Joining {
        member: member.to_owned(),
        instance: None,
        client_id: "client".to_owned(),
        host: "/127.0.0.1".to_owned(),
        session_timeout: 10_000,
        rebalance_timeout: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), Bytes::from_static(b"topics"))],
        asks_back: false,
    }
}

/// A group with two members, each of which has its share.
fn stable(now: Instant) -> (Group, String, String) {
    let mut group = Group::default();
    let first = group.join(joining(""), now).unwrap();
    group.advance(now);
    let second = group.join(joining(""), now).unwrap();
    assert_eq!(group.heartbeat(&first, 1, now), Err(ResponseError::RebalanceInProgress));
    assert_eq!(group.joined(&second), None);
    group.join(joining(&first), now).unwrap();
    group.advance(now);
    let shares = vec![(first.clone(), Bytes::from_static(b"1")), (second.clone(), Bytes::from_static(b"2"))];
    assert_eq!(group.assignment(&second, 2, now), None);
    group.assign(&first, 2, shares, now).unwrap();
    (group, first, second)
}

#[test]
fn two_members_share() {
    let now = Instant::now();
    let (mut group, first, second) = stable(now);
    assert_eq!(group.label(), "Stable");
    let share = |group: &mut Group, id: &str| group.assignment(id, 2, now).unwrap().unwrap().bytes;
    assert_eq!([share(&mut group, &first), share(&mut group, &second)], [&b"1"[..], b"2"]);
    let joined = group.joined(&first).unwrap().unwrap();
    assert_eq!((joined.members.len(), joined.leader, joined.protocol), (2, first, "range".to_owned()));
}

#[test]
fn who_is_silent_is_out_and_the_others_join_again() {
    let now = Instant::now();
    let (mut group, first, second) = stable(now);
    let later = now + Duration::from_secs(6);
    assert_eq!(group.heartbeat(&second, 2, later), Ok(()));
    let later = now + Duration::from_secs(11);
    group.advance(later);
    assert_eq!(group.heartbeat(&first, 2, later), Err(ResponseError::UnknownMemberId));
    assert_eq!(group.heartbeat(&second, 2, later), Err(ResponseError::RebalanceInProgress));
    group.join(joining(&second), later).unwrap();
    group.advance(later);
    assert_eq!(group.joined(&second).unwrap().unwrap().leader, second);
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let now = Instant::now();
    let (mut group, first, second) = stable(now);
    let mut eager = joining(&first);
    eager.protocols[0].1 = Bytes::from_static(b"other topics");
    group.join(eager, now).unwrap();
    for second_passed in (0..=60).step_by(5) {
        let later = now + Duration::from_secs(second_passed);
        let _ = group.heartbeat(&second, 2, later);
        group.advance(later);
    }
    assert_eq!(group.joined(&second), Some(Err(ResponseError::UnknownMemberId)));
    assert_eq!(group.joined(&first).unwrap().unwrap().generation, 3);
}

#[test]
fn a_follower_that_asks_again_is_told_the_same() {
    let now = Instant::now();
    let (mut group, _, second) = stable(now);
    group.join(joining(&second), now).unwrap();
    assert_eq!((group.label(), group.joined(&second).unwrap().unwrap().generation), ("Stable", 2));
}

#[test]
fn ids_protocols_and_generations_are_checked() {
    let now = Instant::now();
    let (mut group, first, _) = stable(now);
    let mut refused = |joining: Joining| group.join(joining, now).unwrap_err().error;
    assert_eq!(refused(joining("nobody")), ResponseError::UnknownMemberId);
    assert_eq!(refused(Joining { session_timeout: 1, ..joining("") }), ResponseError::InvalidSessionTimeout);
    let other = Joining { protocols: vec![("sticky".to_owned(), Bytes::new())], ..joining("") };
    assert_eq!(refused(other), ResponseError::InconsistentGroupProtocol);
    let NotJoined { error, member: id } = group.join(Joining { asks_back: true, ..joining("") }, now).unwrap_err();
    assert_eq!(error, ResponseError::MemberIdRequired);
    assert_eq!(group.join(joining(&id), now).unwrap(), id);
    assert_eq!(group.heartbeat(&first, 1, now), Err(ResponseError::IllegalGeneration));
    assert_eq!(group.may_commit("", -1, now), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_static_member_that_is_started_again_takes_its_old_place() {
    let now = Instant::now();
    let mut group = Group::default();
    let named = |member: &str| Joining { instance: Some("i".to_owned()), ..joining(member) };
    let old = group.join(named(""), now).unwrap();
    group.advance(now);
    let new = group.join(named(""), now).unwrap();
    group.advance(now);
    assert_ne!(old, new);
    assert_eq!(group.join(named(&old), now), Err(ResponseError::FencedInstanceId.into()));
    assert_eq!(group.leave("", Some("i"), now), Ok(()));
    assert!(group.is_empty() && group.label() == "Empty");
    assert_eq!(group.may_commit("", -1, now), Ok(()));
}
