#!/usr/bin/env bash
# Makes a machine a client of Kafka, with a REST proxy in front of it where one is wanted: Java, Kafka's tools, the MSK
# IAM jar, Confluent's REST proxy as a service, and their files. What is wanted stands in settings.sh, and in the files
# beside it.
#
#     sudo ./setup.sh all       does what is still to do, and tries it
#     sudo ./setup.sh steps     says which steps have something to do; nothing where all is as wanted
#     sudo ./setup.sh state     says what is there, as one line of JSON
#     sudo ./setup.sh remove    takes away what this script installed
#
# `all` is check, java, kafka, iam-jar, rest-proxy, files, service and self-check, each of which is a command too. All
# may be killed at any moment and run again: until a thing is complete, it has another name.
#
# A machine is set up for one pipeline, and another one's set-up is refused until that is removed.
#
# Ends with 0: done; 1: failed; 64: wrong usage; 65: settings that can't be followed; 66: a download that isn't what it
# must be; 69: the machine isn't fit; 75: another run is at work; 77: the machine is another pipeline's.
set -euo pipefail
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Everything that is written lies under it: for images, and for tests.
ROOT=${PIPELINE_ROOT:-}
ROOT=${ROOT%/}
OPT=$ROOT/opt/pipeline-client ETC=$ROOT/etc/pipeline-client STATE=$ROOT/var/lib/pipeline-client
UNIT=pipeline-rest-proxy.service ACCOUNT=pipeline-client
STEPS='java kafka iam-jar rest-proxy files service'
STEP=setup TOLD=''

# What settings.sh doesn't set is empty, and is not taken from whoever's environment.
for name in OWNER JAVA_VERSION KAFKA_SCALA REST_PROXY_PORT BOOTSTRAP_SERVERS SELF_CHECK_SECONDS \
    {KAFKA,IAM_JAR,REST_PROXY}_{VERSION,URL,SUM,SUM_URL}; do
    declare "$name="
done

# shellcheck source=/dev/null
. "$HERE/archives.sh"
# shellcheck source=/dev/null
. "$HERE/report.sh"

say() { printf '== %s: %s\n' "$STEP" "$*"; }
complain() { printf '== %s: FAILED: %s\n' "$STEP" "$*" >&2; }
leave() { TOLD=yes && exit "$1"; }
refuse() { complain "$2" && leave "$1"; }
# Whoever sees only the last lines must see which step it was.
on_exit() {
    local ended=$?
    [[ $ended == 0 || -n $TOLD ]] || complain "a command ended with $ended"
}
trap on_exit EXIT

settings_read() {
    local name form file text
    [[ -r $HERE/settings.sh ]] || refuse 65 "there is no settings.sh beside this script"
    # shellcheck source=/dev/null
    . "$HERE/settings.sh"
    # Versions become names of folders, and folders are deleted by name.
    while read -r name form; do
        [[ ${!name} =~ ^($form)$ ]] || refuse 65 "settings.sh: $name can't be '${!name}'"
    done <<'FORMS'
        JAVA_VERSION 8|11|17|21
        KAFKA_VERSION [0-9][0-9A-Za-z.-]*
        KAFKA_SCALA 2[.]1[23]
        IAM_JAR_VERSION ([0-9][0-9A-Za-z.-]*)?
        REST_PROXY_VERSION ([0-9][0-9A-Za-z.-]*)?
        REST_PROXY_PORT [0-9]*
        BOOTSTRAP_SERVERS [^ ]+
        SELF_CHECK_SECONDS [0-9]*
FORMS
    for file in $(files_wanted); do
        [[ -r $HERE/$file ]] || refuse 65 "there is no $file beside this script"
        text=$(<"$HERE/$file")
        [[ $text != *'username="USER"'* && $text != *'password="PASSWORD"'* ]] ||
            refuse 65 "$file: write the user and the password in the place of USER and PASSWORD"
    done
}

# The parent of the state folder is locked, as the folder itself comes and goes. What outlives a killed run keeps the
# lock; services and package managers don't get it (9>&-), as what they start may stay for good.
lock_take() {
    exec 9<"$ROOT/var/lib"
    if ! flock --nonblock 9; then
        say "another run is at work; waiting for it"
        flock --timeout 600 9 || refuse 75 "another run is still at work after 10 minutes"
    fi
    # What a killed run left.
    rm -rf "$OPT/.new" "$OPT"/.*.new "$OPT"/lib/.*.new "$STATE/download" "$STATE"/.*.new "$ETC"/.*.new \
        "$ROOT/etc/profile.d/.pipeline-client.sh.new" "$ROOT/etc/systemd/system/.$UNIT.new"
}

# Whose the machine is, is written down before anything is done to it, and forgotten last.
owner_read() {
    [[ -r $HERE/settings.sh ]] || return 0
    # shellcheck source=/dev/null
    OWNER=$(. "$HERE/settings.sh" && echo "$OWNER")
}

owner_check() {
    local other
    other=$(noted owner)
    [[ -z $OWNER || -z $other || $other == "$OWNER" ]] ||
        refuse 77 "this machine is set up for the pipeline $other: destroy that, or run its own 'setup.sh remove' here"
}

# Notes for later runs are written whole or not at all.
note() {
    mkdir -p "$STATE"
    echo "$2" >"$STATE/.note.new"
    mv "$STATE/.note.new" "$STATE/$1"
}
noted() { [[ ! -e $STATE/$1 ]] || cat "$STATE/$1"; }

file_sum() { if [[ -e $1 ]]; then sha256sum <"$1" | cut -c -64; fi; }

# ---- check: is the machine fit?

os_read() {
    OS='' OS_VERSION=''
    [[ -r $ROOT/etc/os-release ]] || return 0
    # shellcheck source=/dev/null
    read -r OS OS_VERSION < <(. "$ROOT/etc/os-release" && echo "${ID:-} ${VERSION_ID:-}") || true
}

machine_check() {
    local problems='' tool need=0 folder free
    os_read
    case $OS${OS_VERSION%%.*} in
        amzn2 | amzn2023 | ubuntu2[0-9] | debian1[1-9]) ;;
        *) problems+="; it runs '$OS $OS_VERSION', not Amazon Linux 2 or 2023, Ubuntu 20.04 or Debian 11, or later" ;;
    esac
    [[ $(id -u) == 0 ]] || problems+="; this must be run by root: use sudo"
    command -v curl >/dev/null || command -v wget >/dev/null || problems+="; it has neither curl nor wget: install one"
    for tool in tar gzip awk sed find xargs cmp flock timeout systemctl sha1sum sha256sum sha512sum; do
        command -v "$tool" >/dev/null || problems+="; it has no $tool: install it"
    done
    # MiB: an archive, and what is in it.
    ! java_pending || ((need += 400))
    ! package_pending kafka || ((need += 500))
    ! package_pending rest-proxy || ((need += 2500))
    for folder in "$ROOT/opt" "$ROOT/var/lib"; do
        free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }') || problems+="; it has no $folder"
        ((${free:-0} >= need)) || problems+="; $folder has $free MiB left, and $need are needed"
    done
    [[ -z $problems ]] || refuse 69 "this machine isn't fit: ${problems#; }"
    say "$OS $OS_VERSION is fit"
}

# ---- java: the system's own package

# Asked once, as starting Java takes its time.
java_read() { JAVA=$({ java -version 2>&1 || true; } | sed -n 's/^.* version "\([^"]*\)".*$/\1/p'); }

java_pending() {
    # Java 8 calls itself 1.8.
    local version=${JAVA#1.}
    version=${version%%[!0-9]*}
    ((${version:-0} < JAVA_VERSION))
}

java_install() {
    local package offers
    java_pending || { say "$JAVA, nothing to do" && return; }
    os_read
    mkdir -p "$STATE"
    if [[ $OS == amzn ]]; then
        package=java-$JAVA_VERSION-amazon-corretto-headless
        # Corretto 8 is one package, and an extra in Amazon Linux 2.
        [[ $JAVA_VERSION != 8 ]] || package=java-1.8.0-amazon-corretto
        [[ $JAVA_VERSION$OS_VERSION != 82 ]] || amazon-linux-extras enable corretto8 >/dev/null
    else
        package=openjdk-$JAVA_VERSION-jre-headless
        # An installation that was killed is in the way of every other one.
        dpkg --configure -a 9>&-
        packages_run update >/dev/null || say "not every list of packages could be had: going on with what there is"
    fi
    # Noted first: `remove` takes away what is noted, and a run may be killed in between.
    { rpm -q "$package" || dpkg -s "$package"; } >/dev/null 2>&1 || java_note "$package"
    say "installing $package"
    # SSM keeps the start of a long output, and the end is what tells.
    if ! packages_run install "$package" >"$STATE/.packages.new" 2>&1; then
        tail -n 20 "$STATE/.packages.new"
        java_forget "$package"
        if [[ $OS == amzn ]]; then
            offers=$(packages_run -q list available 'java-*-amazon-corretto*' | sed -n 's/\.[a-z0-9_]* .*//p')
        else
            offers=$(apt-cache search --names-only '^openjdk-[0-9]+-jre-headless$' | cut -d ' ' -f 1)
        fi
        refuse 1 "$package can't be installed; $OS $OS_VERSION has: ${offers//$'\n'/, }"
    fi
    rm -f "$STATE/.packages.new"
    java_read
    ! java_pending || refuse 1 "$package is there, but java is $JAVA: try update-alternatives --config java"
    say "$JAVA is in place"
}

# The packages that were installed here, one a line: a later version is another one.
java_note() { note java-package "$({ noted java-package && echo "$1"; } | sort -u)"; }
java_forget() {
    note java-package "$(noted java-package | { grep -vxF "$1" || true; })"
    [[ -n $(noted java-package) ]] || rm -f "$STATE/java-package"
}

packages_run() {
    case $OS$OS_VERSION in
        amzn2) yum -y "$@" 9>&- ;;
        amzn*) dnf -y "$@" 9>&- ;;
        # Machines of EC2 update themselves when they first start, and have apt's lock then.
        *) apt-get -y -q -o DPkg::Lock::Timeout=600 "$@" 9>&- ;;
    esac
}

# ---- files: of the tools and of the proxy

files_wanted() {
    echo client.properties profile.sh
    [[ -z $REST_PROXY_VERSION ]] || echo kafka-rest.properties kafka-rest.service
}

file_path() {
    case $1 in
        profile.sh) echo "$ROOT/etc/profile.d/pipeline-client.sh" ;;
        kafka-rest.service) echo "$ROOT/etc/systemd/system/$UNIT" ;;
        *) echo "$ETC/$1" ;;
    esac
}

account_missing() { ! id -u "$ACCOUNT" >/dev/null 2>&1; }
file_pending() { ! cmp -s "$HERE/$1" "$(file_path "$1")"; }

files_pending() {
    local file
    for file in $(files_wanted); do
        ! file_pending "$file" || return 0
    done
    account_missing || [[ ! -d $STATE/log ]]
}

files_write() {
    local file
    files_pending || say "nothing to do"
    if account_missing; then
        note account "$ACCOUNT"
        useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$ACCOUNT"
        say "made the user $ACCOUNT"
    fi
    if [[ ! -d $STATE/log ]]; then
        mkdir -p "$STATE/.log.new"
        chown "$ACCOUNT:$ACCOUNT" "$STATE/.log.new"
        mv -T "$STATE/.log.new" "$STATE/log"
    fi
    for file in $(files_wanted); do
        ! file_pending "$file" || file_write "$file"
    done
}

file_write() {
    local path unfinished line
    path=$(file_path "$1")
    unfinished=${path%/*}/.${path##*/}.new
    mkdir -p "${path%/*}"
    # Properties may hold a password: at no moment may others read them.
    (umask 077 && cp "$HERE/$1" "$unfinished")
    if [[ $1 == *.properties ]]; then
        chown "root:$ACCOUNT" "$unfinished"
        chmod 0640 "$unfinished"
    else
        chmod 0644 "$unfinished"
    fi
    line="$(file_sum "$unfinished")  $1"
    grep -qxF "$line" "$STATE/written" 2>/dev/null || echo "$line" >>"$STATE/written"
    mv -T "$unfinished" "$path"
    say "wrote $path"
}

# Whether a file is there, as this script wrote it.
file_is_ours() { grep -qxF "$(file_sum "$(file_path "$1")")  $1" "$STATE/written" 2>/dev/null; }

file_delete() {
    local path
    path=$(file_path "$1")
    if file_is_ours "$1"; then
        rm -f "$path"
        say "deleted $path"
    elif [[ -e $path ]]; then
        say "kept $path, which someone else has written or changed"
    fi
}

# ---- service: the REST proxy runs, with what is installed

# What a proxy is started with. Arguments: its unit, its properties, the names of the jar and of the proxy.
service_basis() { echo "$(file_sum "$1") $(file_sum "$2") $3 $4 $JAVA"; }

service_basis_installed() {
    service_basis "$(file_path kafka-rest.service)" "$(file_path kafka-rest.properties)" \
        "$(package_installed iam-jar)" "$(package_installed rest-proxy)"
}

service_is() { systemctl "is-$1" --quiet "$UNIT" 2>/dev/null; }

service_pending() {
    local basis
    [[ -z $(packages_old wanted) ]] || return 0
    if [[ -z $REST_PROXY_VERSION ]]; then
        [[ -e $STATE/started ]] || file_is_ours kafka-rest.service || file_is_ours kafka-rest.properties
        return
    fi
    basis=$(service_basis "$HERE/kafka-rest.service" "$HERE/kafka-rest.properties" \
        "$(package_wanted iam-jar)" "$(package_wanted rest-proxy)")
    java_pending || [[ $basis != "$(noted started)" ]] || ! service_is enabled || ! service_is active
}

service_run() {
    local basis started package
    service_pending || say "nothing to do"
    if [[ -z $REST_PROXY_VERSION ]]; then
        service_remove
    else
        basis=$(service_basis_installed) started=$(noted started)
        [[ -n $(package_installed rest-proxy) && -e $(file_path kafka-rest.service) ]] ||
            refuse 1 "there is nothing to run yet: rest-proxy and files come first"
        # From here on there is something to stop.
        [[ -n $started ]] || note started nothing
        [[ ${basis%% *} == "${started%% *}" ]] || systemctl daemon-reload 9>&-
        service_is enabled || systemctl enable "$UNIT" 9>&-
        if ! service_is active && (exec 3<>"/dev/tcp/127.0.0.1/$REST_PROXY_PORT") 2>/dev/null; then
            refuse 1 "something else listens at port $REST_PROXY_PORT (ss -ltnp tells what): stop it, or choose another port"
        fi
        if [[ $basis != "$started" ]] || ! service_is active; then
            say "starting $UNIT with what is installed now"
            systemctl restart "$UNIT" 9>&-
            note started "$basis"
        fi
    fi
    # Only now is nothing of them in use any more.
    for package in $(packages_old installed); do
        package_delete "$package"
    done
}

service_remove() {
    if [[ -e $STATE/started ]]; then
        say "stopping $UNIT"
        systemctl stop "$UNIT" 9>&- || ! service_is active || refuse 1 "$UNIT doesn't stop"
        ! service_is enabled || systemctl disable "$UNIT" 9>&-
    fi
    file_delete kafka-rest.service
    file_delete kafka-rest.properties
    if [[ -e $STATE/started ]]; then
        systemctl daemon-reload 9>&-
        rm -f "$STATE/started"
    fi
}

# ---- the whole

steps_print() {
    local each
    for each in $STEPS; do
        case $each in
            kafka | iam-jar | rest-proxy) ! package_pending "$each" || echo "$each" ;;
            *) ! "${each}_pending" || echo "$each" ;;
        esac
    done
}

step_run() {
    STEP=$1
    [[ $1 == *check || -z $OWNER || -n $(noted owner) ]] || note owner "$OWNER"
    case $1 in
        check) machine_check ;;
        java) java_install ;;
        kafka | iam-jar | rest-proxy) package_install "$1" ;;
        files) files_write ;;
        service) service_run ;;
        self-check) self_check ;;
    esac
}

remove() {
    local package file
    STEP=remove
    service_remove
    file_delete client.properties
    file_delete profile.sh
    rm -f "$OPT/kafka" "$OPT/confluent" "$OPT/lib/aws-msk-iam-auth.jar"
    for package in $(packages_old none); do
        package_delete "$package"
    done
    if [[ -e $STATE/account ]]; then
        account_missing || userdel "$ACCOUNT"
        say "deleted the user $ACCOUNT"
    fi
    os_read
    for package in $(noted java-package); do
        say "removing $package"
        if [[ $OS == amzn ]]; then packages_run remove "$package"; else packages_run purge "$package"; fi >/dev/null
    done
    rm -rf "$STATE/log" "$STATE/written" "$STATE/account" "$STATE/java-package" "$STATE/owner"
    for file in "$OPT/lib" "$OPT" "$ETC" "$STATE"; do
        [[ ! -d $file ]] || rmdir "$file" 2>/dev/null || say "kept $file, which has something else in it"
    done
    say "done"
}

main() {
    local each
    case $1 in
        all | steps | check | java | kafka | iam-jar | rest-proxy | files | service | self-check) settings_read ;;
        state) ;;
        remove) owner_read ;;
        *) refuse 64 "usage: $0 all | steps | state | remove | check | ${STEPS// / | } | self-check" ;;
    esac
    case $1 in
        steps | state | check | self-check) ;;
        *) lock_take ;;
    esac
    [[ $1 == state ]] || owner_check
    java_read
    case $1 in
        all) for each in check $STEPS self-check; do step_run "$each"; done ;;
        steps) steps_print ;;
        state) state_print ;;
        remove) remove ;;
        *) step_run "$1" ;;
    esac
}

main "${1:-}"
