//! Units that systemctl starts on a machine. A REST proxy is run: it is the sandbox's own, at the port that the
//! machine's `kafka-rest.properties` say, on the loopback interface. Other programs only count as running.
//!
//! What runs is in the store, so that a machine's proxy goes on after a restart, as on a machine that nobody has
//! stopped.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::instance::Instance;
use super::machine::Machine;
use crate::sandbox::call::{Call, Refusal, Reply};
use crate::sandbox::rest_proxy;
use crate::sandbox::world::{Millis, World, now};

/// Units by `INSTANCE/NAME`, of which none is stopped.
pub(super) const TABLE: &str = "ssm/units";

/// The program that starts Confluent's REST proxy.
const REST_PROXY: &str = "kafka-rest-start";
/// Where it listens when its properties don't say
/// (<https://docs.confluent.io/platform/7.6/kafka-rest/production-deployment/rest-proxy/config.html>).
const DEFAULT_PORT: u16 = 8082;
/// The port of a proxy that was just stopped may need a moment.
const BIND_AGAIN: Duration = Duration::from_millis(50);
const BIND_ATTEMPTS: u32 = 20;

/// A unit that was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Unit {
    /// Where its REST proxy listens, if it is one.
    port: Option<u16>,
    started: Millis,
    /// Whether it has ended by itself.
    failed: bool,
}

/// A REST proxy that is to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Proxy {
    instance: String,
    unit: String,
    pub(crate) port: u16,
    /// One that was restarted is another one.
    started: Millis,
}

fn key(instance: &str, unit: &str) -> String {
    format!("{instance}/{unit}")
}

/// What a machine's stand-in for systemctl asks, at `ID/NAME.service`, and tells it to do, at `ID/NAME.service/VERB`:
/// `start`, `stop` or `restart`. Answers with the unit's state.
///
/// # Errors
/// 404 where there is no such machine or verb, and where the state can't be kept.
pub(crate) fn answer(world: &World, call: &Call, path: &str) -> Result<Reply, Refusal> {
    let not_found = || Refusal::new(404, "NotFound", format!("there is no unit {path}"));
    let (id, rest) = path.split_once('/').ok_or_else(not_found)?;
    let (unit, verb) = rest.split_once('/').unwrap_or((rest, ""));
    let instance = world.store.read(|transaction| Instance::find(transaction, id)).ok_or_else(not_found)?;
    if !is_name(unit) {
        return Err(not_found());
    }
    match (call.method.as_str(), verb) {
        ("GET", "") => {}
        ("POST", "start") if state(world, id, unit) == "active" => {}
        ("POST", "start" | "restart") => start(world, &instance, unit)?,
        ("POST", "stop") => stop(world, id, unit)?,
        _ => return Err(not_found()),
    }
    let body = format!("{}\n", state(world, id, unit)).into();
    Ok(Reply { status: 200, headers: vec![("content-type", "text/plain".to_owned())], body })
}

fn is_name(unit: &str) -> bool {
    let is_part = |each: char| each.is_ascii_alphanumeric() || "@._-".contains(each);
    !unit.starts_with('.') && !unit.is_empty() && unit.chars().all(is_part)
}

/// The state of a unit, as systemd calls it.
fn state(world: &World, id: &str, unit: &str) -> &'static str {
    match world.store.read(|transaction| transaction.get::<Unit>(TABLE, &key(id, unit))) {
        None => "inactive",
        Some(unit) if unit.failed => "failed",
        Some(_) => "active",
    }
}

fn stop(world: &World, id: &str, unit: &str) -> io::Result<()> {
    world.store.transact(|transaction| {
        transaction.delete(TABLE, &key(id, unit));
        Ok(())
    })
}

fn start(world: &World, instance: &Instance, unit: &str) -> io::Result<()> {
    let machine = Machine::of(world, &instance.id);
    let begun = begin(&machine, &machine.loaded_unit(unit)?);
    machine.log(unit, begun.as_ref().map_or_else(String::as_str, |_| "Started"))?;
    let record = Unit { port: begun.clone().unwrap_or_default(), started: now(), failed: begun.is_err() };
    world.store.transact(|transaction| transaction.put(TABLE, &key(&instance.id, unit), &record))
}

/// What a unit runs: the port of its REST proxy, if it is one. Else what the journal has of a program that ends at once.
fn begin(machine: &Machine, text: &str) -> Result<Option<u16>, String> {
    let values = |name: &str| -> Vec<String> {
        let found = text.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        found.map(|value| value.trim().to_owned()).collect()
    };
    let started = values("ExecStart").into_iter().next_back().unwrap_or_default();
    let mut words = started.split_whitespace();
    let program = words.next().unwrap_or_default();
    if !machine.path(program).is_file() {
        return Err(format!("Failed to locate executable {program}: No such file or directory"));
    }
    if Path::new(program).file_name().is_none_or(|name| name != REST_PROXY) {
        return Ok(None);
    }
    if !machine.has_java() {
        return Err("java: command not found".to_owned());
    }
    let path = words.next().unwrap_or_default();
    let properties = fs::read_to_string(machine.path(path))
        .map_err(|_| format!("java.io.FileNotFoundException: {path} (No such file or directory)"))?;
    let set = |name: &str| {
        let pair =
            |line: &str| line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
        properties.lines().filter_map(pair).find(|(key, _)| key == name).map(|(_, value)| value)
    };
    let class_path: Vec<String> = values("Environment")
        .iter()
        .filter_map(|value| value.trim_matches('"').strip_prefix("CLASSPATH="))
        .flat_map(|value| value.split(':').map(str::to_owned))
        .collect();
    let has_jar = class_path.iter().any(|jar| jar.contains("aws-msk-iam-auth") && machine.path(jar).is_file());
    if let Some(handler) = set("client.sasl.client.callback.handler.class")
        && handler.starts_with("software.amazon.msk")
        && !has_jar
    {
        return Err(format!("java.lang.ClassNotFoundException: {handler}"));
    }
    let listeners = set("listeners").unwrap_or_default();
    let port = listeners.split(',').find_map(|listener| listener.trim().rsplit_once(':')?.1.parse().ok());
    Ok(Some(port.unwrap_or(DEFAULT_PORT)))
}

/// The REST proxies that are to run.
pub(crate) fn proxies(world: &World) -> Vec<Proxy> {
    let units = world.store.read(|transaction| transaction.list::<Unit>(TABLE));
    let proxy = |(key, unit): (String, Unit)| {
        let (instance, name) = key.split_once('/')?;
        let port = unit.port.filter(|_| !unit.failed)?;
        Some(Proxy { instance: instance.to_owned(), unit: name.to_owned(), port, started: unit.started })
    };
    units.into_iter().filter_map(proxy).collect()
}

/// Serves a REST proxy until it is dropped. Where its port isn't to be had, its unit has failed.
pub(crate) async fn serve_proxy(world: Arc<World>, proxy: Proxy) {
    let machine = Machine::of(&world, &proxy.instance);
    for _ in 0..BIND_ATTEMPTS {
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, proxy.port)).await {
            // Who reads the journal can do without this line.
            let _ = machine.log(&proxy.unit, "INFO Server started, listening for requests...");
            return rest_proxy::serve(listener, world).await;
        }
        tokio::time::sleep(BIND_AGAIN).await;
    }
    let _ =
        machine.log(&proxy.unit, "java.io.IOException: Failed to bind\njava.net.BindException: Address already in use");
    let failed = Unit { port: Some(proxy.port), started: proxy.started, failed: true };
    let key = key(&proxy.instance, &proxy.unit);
    // It is tried again where that can't be kept.
    let _ = world.store.transact(|transaction| match transaction.get::<Unit>(TABLE, &key) {
        Some(unit) if unit.started == proxy.started => transaction.put(TABLE, &key, &failed),
        _ => Ok(()),
    });
}

/// The units of an instance, each with its state and the port of its proxy.
pub(super) fn told(world: &World, id: &str) -> serde_json::Value {
    let units = world.store.read(|transaction| transaction.list_prefix::<Unit>(TABLE, &key(id, ""), ""));
    let one = |(name, unit): (String, Unit)| {
        let state = if unit.failed { "failed" } else { "active" };
        (name[id.len() + 1..].to_owned(), serde_json::json!({"state": state, "port": unit.port}))
    };
    serde_json::Value::Object(units.into_iter().map(one).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::fs;

    use super::{Machine, begin, is_name};
    use crate::sandbox::ssm::instance::Instance;
    use crate::sandbox::store::Store;
    use crate::sandbox::world::{Settings, World};

    const UNIT: &str = "[Service]\nEnvironment=CLASSPATH=/opt/lib/aws-msk-iam-auth.jar\n\
                        ExecStart=/opt/bin/kafka-rest-start /etc/kafka-rest.properties\n";

    #[test]
    fn a_proxy_needs_what_its_unit_names() {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(Settings::default(), Store::in_memory(), folder.path().to_owned());
        let machine = Machine::of(&world, "i-01234567");
        machine.make(&Instance::new("i-01234567", "us-east-1")).unwrap();
        let put = |path: &str, text: &str| {
            fs::create_dir_all(machine.path(path).parent().unwrap()).unwrap();
            fs::write(machine.path(path), text).unwrap();
        };
        let why = || begin(&machine, UNIT).unwrap_err();
        assert!(why().starts_with("Failed to locate executable /opt/bin/kafka-rest-start"));
        put("/opt/bin/kafka-rest-start", "");
        assert_eq!(why(), "java: command not found");
        fs::write(machine.folder().join("has/java"), "x 17\n").unwrap();
        assert!(why().starts_with("java.io.FileNotFoundException: /etc/kafka-rest.properties"));
        put("/etc/kafka-rest.properties", "client.sasl.client.callback.handler.class=software.amazon.msk.X\n");
        assert_eq!(why(), "java.lang.ClassNotFoundException: software.amazon.msk.X");
        put("/opt/lib/aws-msk-iam-auth.jar", "");
        assert_eq!(begin(&machine, UNIT), Ok(Some(8082)));
        put(
            "/etc/kafka-rest.properties",
            "# listeners=http://h:1\nlisteners = http://0.0.0.0:18082, https://0.0.0.0:9\n",
        );
        assert_eq!(begin(&machine, UNIT), Ok(Some(18082)));
        put("/opt/bin/other", "");
        assert_eq!(begin(&machine, "ExecStart=/opt/bin/other"), Ok(None));
    }

    #[test]
    fn names_of_units_lead_nowhere_else() {
        assert!(is_name("pipeline-rest-proxy.service") && is_name("getty@tty1.service"));
        assert!(!is_name("") && !is_name("..") && !is_name("a/b") && !is_name(".hidden"));
    }
}
