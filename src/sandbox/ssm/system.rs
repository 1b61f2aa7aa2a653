//! The systems that a machine may run, as far as commands see them.

use serde::{Deserialize, Serialize};

/// A system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum System {
    Amzn2023,
    Amzn2,
    Ubuntu,
    Debian,
}

impl System {
    /// `ID` and `VERSION_ID` in its `/etc/os-release`.
    pub(super) fn release(self) -> (&'static str, &'static str) {
        match self {
            Self::Amzn2023 => ("amzn", "2023"),
            Self::Amzn2 => ("amzn", "2"),
            Self::Ubuntu => ("ubuntu", "22.04"),
            Self::Debian => ("debian", "12"),
        }
    }

    /// What it calls itself: `NAME` in `/etc/os-release`, and what Systems Manager tells as its platform.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Amzn2023 | Self::Amzn2 => "Amazon Linux",
            Self::Ubuntu => "Ubuntu",
            Self::Debian => "Debian GNU/Linux",
        }
    }

    /// All of `/etc/os-release` that scripts read.
    pub(super) fn os_release(self) -> String {
        let ((id, version), name) = (self.release(), self.name());
        format!("NAME=\"{name}\"\nID=\"{id}\"\nVERSION_ID=\"{version}\"\nPRETTY_NAME=\"{name} {version}\"\n")
    }

    /// The command that installs packages.
    pub(super) fn manager(self) -> &'static str {
        match self {
            Self::Amzn2023 => "dnf",
            Self::Amzn2 => "yum",
            Self::Ubuntu | Self::Debian => "apt-get",
        }
    }

    /// The packages that have a Java, each with its version, as of early 2024.
    pub(super) fn javas(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Amzn2023 => &[
                ("java-1.8.0-amazon-corretto", "1.8.0_402"),
                ("java-11-amazon-corretto-headless", "11.0.22"),
                ("java-17-amazon-corretto-headless", "17.0.10"),
                ("java-21-amazon-corretto-headless", "21.0.2"),
            ],
            Self::Amzn2 => &[
                ("java-1.8.0-amazon-corretto", "1.8.0_402"),
                ("java-11-amazon-corretto-headless", "11.0.22"),
                ("java-17-amazon-corretto-headless", "17.0.10"),
            ],
            Self::Ubuntu => &[
                ("openjdk-8-jre-headless", "1.8.0_402"),
                ("openjdk-11-jre-headless", "11.0.22"),
                ("openjdk-17-jre-headless", "17.0.10"),
                ("openjdk-21-jre-headless", "21.0.2"),
            ],
            Self::Debian => &[("openjdk-17-jre-headless", "17.0.10")],
        }
    }

    /// What interprets a script that doesn't say so itself. The agent has it run by `sh`, which is bash in Amazon
    /// Linux, minding POSIX, and dash in Ubuntu and Debian.
    pub(super) fn shell(self) -> &'static [&'static str] {
        match self {
            Self::Amzn2023 | Self::Amzn2 => &["bash", "--posix"],
            Self::Ubuntu | Self::Debian => &["sh"],
        }
    }
}
