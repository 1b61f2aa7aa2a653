//! The connector: its capacity, its network, its logs. What it reads is in [`super::selection`], its properties are
//! in [`super::sink`].

use super::super::problem::Findings;
use super::super::yaml::At;
use super::super::{Capacity, Connector, LogDelivery, Network, raw};
use super::{Scene, each_once, names, number, selection, settings, sink};

/// The newest Kafka Connect that MSK Connect runs.
const KAFKA_CONNECT: &str = "3.7.x";
/// What MSK Connect's console fills in for autoscaling.
const SCALE_IN_CPU: i32 = 20;
const SCALE_OUT_CPU: i32 = 80;

pub(super) fn connector(raw: &At<raw::Connector>, scene: &Scene<'_>, findings: &mut Findings) -> Connector {
    if let Err(problem) = names::connect("connector", &raw.name, 128) {
        findings.problem(raw.name.at, problem);
    }
    let selected = selection::selection(raw, scene, findings);
    sink::check(raw, &selected, scene, findings);
    Connector {
        name: raw.name.value.clone(),
        kafka_connect_version: raw.kafka_connect_version.as_ref().map_or(KAFKA_CONNECT, |version| version).to_owned(),
        capacity: capacity(raw, findings),
        topics: selected.selection,
        config: raw.config.as_ref().map(|config| settings::settings(config, findings)).unwrap_or_default(),
        network: raw.network.as_ref().map(|network| self::network(network, findings)),
        log_delivery: raw.log_delivery.as_ref().map(|delivery| log_delivery(delivery, findings)),
    }
}

fn capacity(raw: &raw::Connector, findings: &mut Findings) -> Capacity {
    match (&raw.capacity, &raw.autoscaling) {
        (fixed, Some(autoscaling)) => {
            if let Some(fixed) = fixed {
                let at = fixed.key_at.max(autoscaling.key_at);
                findings.problem(at, "capacity and autoscaling exclude each other; keep one of them");
            }
            self::autoscaling(autoscaling, findings)
        }
        (Some(fixed), None) => Capacity::Provisioned {
            mcu_count: mcu_count(fixed.mcu_count.as_ref(), findings),
            workers: number("workers", fixed.workers.as_ref(), 1, 1..=10, findings),
        },
        (None, None) => Capacity::Provisioned { mcu_count: 1, workers: 1 },
    }
}

/// MSK Connect units are sold in these sizes
/// (<https://docs.aws.amazon.com/MSKC/latest/mskc/API_ProvisionedCapacity.html>).
fn mcu_count(given: Option<&At<i64>>, findings: &mut Findings) -> i32 {
    let Some(given) = given else { return 1 };
    match given.value {
        1 => 1,
        2 => 2,
        4 => 4,
        8 => 8,
        other => {
            findings.problem(given.at, format!("mcu_count is {other}; expected 1, 2, 4 or 8"));
            1
        }
    }
}

/// The bounds are those of <https://docs.aws.amazon.com/MSKC/latest/mskc/API_AutoScaling.html> and
/// <https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-max-autoscaling-task-count.html>.
fn autoscaling(raw: &raw::Autoscaling, findings: &mut Findings) -> Capacity {
    let min_workers = number("min_workers", raw.min_workers.as_ref(), 1, 1..=10, findings);
    let max_workers = number("max_workers", Some(&raw.max_workers), 10, 1..=10, findings);
    if min_workers > max_workers {
        findings.problem(
            raw.max_workers.at,
            format!(
                "max_workers is {max_workers}, less than min_workers, {min_workers}; \
                raise the first or lower the second"
            ),
        );
    }
    let scale_in_cpu = number("scale_in_cpu", raw.scale_in_cpu.as_ref(), SCALE_IN_CPU, 1..=100, findings);
    let scale_out_cpu = number("scale_out_cpu", raw.scale_out_cpu.as_ref(), SCALE_OUT_CPU, 1..=100, findings);
    if let Some(given) =
        raw.scale_in_cpu.as_ref().or(raw.scale_out_cpu.as_ref()).filter(|_| scale_in_cpu >= scale_out_cpu)
    {
        findings.problem(
            given.at,
            format!(
                "scale_in_cpu is {scale_in_cpu} and scale_out_cpu {scale_out_cpu}; \
                the first must be lower, or workers come and go for ever"
            ),
        );
    }
    let max_tasks = raw.max_tasks.as_ref().map(|given| {
        let tasks = number("max_tasks", Some(given), max_workers, 1..=i32::MAX, findings);
        if tasks < max_workers {
            findings.problem(
                given.at,
                format!(
                    "max_tasks is {tasks}; every one of max_workers, {max_workers}, needs at least a task: raise it"
                ),
            );
        }
        tasks
    });
    let mcu_count = mcu_count(raw.mcu_count.as_ref(), findings);
    Capacity::Autoscaling { mcu_count, min_workers, max_workers, scale_in_cpu, scale_out_cpu, max_tasks }
}

fn network(raw: &raw::Network, findings: &mut Findings) -> Network {
    let ids = |ids: &At<Vec<At<String>>>, what: &str, prefix: &str, findings: &mut Findings| {
        if ids.is_empty() {
            findings.problem(ids.at, format!("there is no {what}; add one, or remove network to use the cluster's"));
        }
        each_once(what, ids, findings);
        for id in &ids.value {
            if let Err(problem) = names::ec2_id(prefix, id) {
                findings.problem(id.at, problem);
            }
        }
        ids.iter().map(|id| id.value.clone()).collect()
    };
    Network {
        subnets: ids(&raw.subnets, "subnet", "subnet", findings),
        security_groups: ids(&raw.security_groups, "security group", "sg", findings),
    }
}

fn log_delivery(raw: &At<raw::LogDelivery>, findings: &mut Findings) -> LogDelivery {
    if raw.cloudwatch.is_none() && raw.s3.is_none() && raw.firehose.is_none() {
        findings.problem(
            raw.key_at,
            "log_delivery delivers to nothing; \
            add cloudwatch, s3 or firehose, or remove it",
        );
    }
    let named = |name: &At<String>, check: fn(&str) -> Result<(), String>, findings: &mut Findings| {
        if let Err(problem) = check(name) {
            findings.problem(name.at, problem);
        }
        name.value.clone()
    };
    LogDelivery {
        cloudwatch: raw.cloudwatch.as_ref().map(|logs| named(&logs.log_group, names::log_group, findings)),
        s3: raw.s3.as_ref().map(|logs| {
            (named(&logs.bucket, names::bucket, findings), logs.prefix.as_ref().map(|prefix| prefix.value.clone()))
        }),
        firehose: raw.firehose.as_ref().map(|logs| named(&logs.delivery_stream, names::delivery_stream, findings)),
    }
}
