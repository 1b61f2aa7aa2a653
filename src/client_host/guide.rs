//! The README of a rendered folder: what a person does with it.

use super::{ACCOUNT, KEYSTORE, Setup};
use crate::manifest::Auth;

pub(super) fn text(setup: &Setup<'_>) -> String {
    let mut text = format!(
        "# {} ({}): Kafka client{}\n\n{}\n",
        setup.name,
        setup.environment,
        if setup.client.rest_proxy.is_some() { " and REST proxy" } else { "" },
        START
    );
    text.push_str("\n## Before\n\n");
    for (number, step) in before(setup).iter().enumerate() {
        text.push_str(&format!("{}. {step}\n", number + 1));
    }
    text.push_str("\n## What it installs\n\n| what | version | from |\n| --- | --- | --- |\n");
    text.push_str(&format!("| Java | {} or later | the system's packages |\n", setup.client.java_version));
    for archive in super::archives::of(setup) {
        text.push_str(&format!("| {} | {} | {} |\n", archive.name, archive.version, archive.url));
    }
    text.push_str(&format!("\n{FILES}\n## Then\n\n{}", then(setup)));
    text
}

const START: &str = "Copy this folder to the machine, and there:

    sudo bash setup.sh all

It does what is still to do, says what it does, tries whether the brokers answer, and ends with a verdict. It can be
stopped at any moment and run again. `sudo bash setup.sh steps` says what is still to do, and `sudo bash setup.sh remove`
takes away what it installed. It runs on Amazon Linux 2 and 2023, Ubuntu and Debian.";

const FILES: &str = "Each download is verified before it is unpacked: `settings.sh` says against what.

| file | becomes |
| --- | --- |
| `client.properties` | `/etc/pipeline-client/client.properties`: how Kafka's tools log in |
| `profile.sh` | `/etc/profile.d/pipeline-client.sh`: PATH and CLASSPATH for the login shells of every user |
| `kafka-rest.properties` | `/etc/pipeline-client/kafka-rest.properties`: how the REST proxy logs in, and where it listens |
| `kafka-rest.service` | `/etc/systemd/system/pipeline-rest-proxy.service`, which has the CLASSPATH that the service needs |

The last two are there where the manifest declares a REST proxy.
";

fn before(setup: &Setup<'_>) -> Vec<String> {
    let port = setup.servers.split(',').next().and_then(|server| server.rsplit_once(':')).map_or("", |(_, port)| port);
    let mut steps =
        vec![format!("The machine must reach the brokers: the cluster's security group lets it in at port {port}.")];
    match (setup.auth, setup.role_arn) {
        (Auth::Iam, Some(role)) => steps.push(format!(
            "The machine has an instance profile whose role is {role}, or may assume it and is trusted by it."
        )),
        (Auth::Iam, None) if setup.role.is_some() => {
            steps.push(format!("The machine has the instance profile {}.", setup.role.unwrap_or_default()));
        }
        (Auth::Iam, None) => steps.push(
            "The machine has an instance profile whose role may `kafka-cluster:Connect` to the cluster, and what else it \
             is to do."
                .to_owned(),
        ),
        (Auth::Scram { secret }, _) => steps.push(format!(
            "Write the user and the password of {secret} in the place of USER and PASSWORD in the property files. They \
             are not in here, so that they don't end where this folder does; setup.sh refuses to go on without."
        )),
        (Auth::Mtls { .. }, _) => steps.push(format!(
            "After `sudo bash setup.sh files`, which makes the group, put the client's key (PKCS#8, as `openssl pkcs8 \
             -topk8` writes it) and certificate, one after the other in PEM, into {KEYSTORE} on the machine, readable for \
             that group: `chown root:{ACCOUNT}`, `chmod 0640`. They are not in here, so that they don't end where this \
             folder does. A key that has no password is read by Kafka from 3.3 on."
        )),
        (Auth::Tls | Auth::Plaintext, _) => {}
    }
    if let Some(proxy) = &setup.client.rest_proxy {
        steps.push(format!(
            "For API Gateway to reach the REST proxy, the instance's own security group lets port {} in.",
            proxy.port
        ));
    }
    steps
}

fn then(setup: &Setup<'_>) -> String {
    let servers = setup.servers;
    let mut text = format!(
        "In a new login shell of any user who is in the group {ACCOUNT} (`sudo usermod -aG {ACCOUNT} $USER`):\n\n    \
         kafka-topics.sh --bootstrap-server {servers} \\\n        \
         --command-config /etc/pipeline-client/client.properties --list\n"
    );
    if let Some(proxy) = &setup.client.rest_proxy {
        text.push_str(&format!(
            "\nThe REST proxy answers at `http://127.0.0.1:{}/topics`; `journalctl --unit pipeline-rest-proxy` has what it \
             says.\n",
            proxy.port
        ));
    }
    text
}
