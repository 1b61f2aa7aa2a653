#!/usr/bin/env bash
# A stand-in: asks each broker whether it is there, and tells it as Kafka's own tool does.
servers='' config='' found=''
while (($# > 0)); do
    case $1 in
        --bootstrap-server) servers=$2 && shift ;;
        --command-config) config=$2 && shift ;;
    esac
    shift
done

fail() {
    echo "$1"
    exit 1
}

java -version >/dev/null 2>&1 || fail "java: command not found"
if [[ -n $config ]]; then
    [[ -r $config ]] || fail "java.nio.file.NoSuchFileException: $config"
    if grep -q '^ *sasl.client.callback.handler.class *= *software.amazon.msk' "$config"; then
        while IFS= read -r -d : jar; do
            [[ $jar != *aws-msk-iam-auth* || ! -e $jar ]] || found=yes
        done <<<"${CLASSPATH:-}:"
        [[ -n $found ]] || fail "org.apache.kafka.common.config.ConfigException: Invalid value \
software.amazon.msk.auth.iam.IAMClientCallbackHandler for configuration sasl.client.callback.handler.class: Class \
software.amazon.msk.auth.iam.IAMClientCallbackHandler could not be found."
    fi
fi

id=0 answering=0
while IFS= read -r -d , server; do
    ((id += 1))
    # Whether somebody listens; the connection is closed at once. It is the inner shell that expands its words.
    # shellcheck disable=SC2016
    timeout 5 bash -c 'exec 3<>"/dev/tcp/${0%:*}/${0##*:}"' "$server" 2>/dev/null || continue
    ((answering += 1))
    printf '%s (id: %d rack: use1-az%d) -> (\n\tProduce(0): 0 to 9 [usable: 9]\n)\n' "$server" "$id" "$id"
done <<<"$servers,"
((answering > 0)) || fail "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment. \
Call: listNodes"
