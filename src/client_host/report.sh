# shellcheck shell=bash
# What setup.sh tells of a machine: what is there, and whether it works. Nothing here changes anything. setup.sh reads
# this file; it does nothing by itself.

# A value of JSON. None of them has anything in it that JSON would write otherwise.
json() { if [[ -n $1 ]]; then printf '"%s"' "$1"; else printf null; fi; }
json_of() { if "$@"; then printf true; else printf false; fi; }

service_is_current() { [[ -e $STATE/started && $(noted started) == "$(service_basis_installed)" ]]; }

state_print() {
    local kafka jar proxy old file files=''
    os_read
    kafka=$(package_installed kafka) jar=$(package_installed iam-jar) proxy=$(package_installed rest-proxy)
    old=$(packages_old installed | sed 's/.*/"&"/' | paste -s -d , -)
    for file in client.properties profile.sh kafka-rest.properties kafka-rest.service; do
        [[ ! -e $(file_path "$file") ]] || files+=",\"$file\":\"$(file_sum "$(file_path "$file")")\""
    done
    kafka=${kafka#kafka_} jar=${jar#aws-msk-iam-auth-}
    printf '{"begun":%s,"owner":%s,' "$(json_of test -d "$STATE")" "$(json "$(noted owner)")"
    printf '"os":%s,"java":%s,"kafka":%s,"kafka_scala":%s,"iam_jar":%s,"rest_proxy":%s,"files":{%s},' \
        "$(json "${OS:+$OS $OS_VERSION}")" "$(json "$JAVA")" "$(json "${kafka#*-}")" \
        "$(json "${kafka%%-*}")" "$(json "${jar%-all.jar}")" "$(json "${proxy#confluent-}")" "${files#,}"
    printf '"service":{"enabled":%s,"active":%s,"current":%s},"old":[%s]}\n' "$(json_of service_is enabled)" \
        "$(json_of service_is active)" "$(json_of service_is_current)" "$old"
}

self_check() {
    brokers_check
    [[ -z $REST_PROXY_VERSION ]] || proxy_check
    echo "verdict: ok"
}

verdict_failed() {
    echo "verdict: FAILED: $1; $(likely_cause "$2")"
    leave 1
}

brokers_check() {
    local output brokers ended attempt
    say "asking $BOOTSTRAP_SERVERS for the versions of its API"
    # The tool waits 5 seconds for an answer, which the first login of a small machine may take.
    for attempt in first second; do
        ended=0
        # Nobody has logged in here, so CLASSPATH is nobody's.
        output=$(CLASSPATH=$OPT/lib/aws-msk-iam-auth.jar timeout 30 "$OPT/kafka/bin/kafka-broker-api-versions.sh" \
            --bootstrap-server "$BOOTSTRAP_SERVERS" --command-config "$ETC/client.properties" 2>&1) || ended=$?
        brokers=$(grep -c '(id: .* -> ($' <<<"$output") || true
        [[ $attempt == first && $ended == 1 && $output == *'METADATA failed'* ]] || break
    done
    if ((ended != 0 || brokers == 0)); then
        # What Java was at is of no use here.
        grep -v '^[[:space:]]*at ' <<<"$output" | tail -n 20 || true
        ((ended != 124)) || output+=" timed out"
        verdict_failed "no broker answers at $BOOTSTRAP_SERVERS" "$output"
    fi
    say "$brokers brokers answer"
}

proxy_check() {
    local url=http://127.0.0.1:$REST_PROXY_PORT/topics patience=${SELF_CHECK_SECONDS:-60} until answer journal
    until=$((SECONDS + patience))
    say "waiting for $url"
    until answer=$(ask "$patience" "$url" 2>&1); do
        if ((SECONDS > until)); then
            # Traces of Java are long: the line that tells may stand before those that are shown.
            journal=$(journal_end)
            echo "the last lines of journalctl --unit $UNIT:"
            tail -n 15 <<<"$journal"
            printf '%s\n' "$answer"
            service_is active || verdict_failed "the REST proxy doesn't run" "$journal"
            verdict_failed "the REST proxy runs, but GET $url fails within $patience s" "$journal"
        fi
        sleep 1
    done
    # What answers may be something else.
    service_is active || verdict_failed "the REST proxy doesn't run" "$(journal_end)"
    say "the REST proxy answers"
}

journal_end() { journalctl --unit "$UNIT" --lines 100 --no-pager 2>&1 || true; }

# Asks an address that nothing stands before, for so many seconds. What follows is curl's, as far as it is -X and -H.
ask() {
    local patience=$1 arguments=() each
    shift
    if command -v curl >/dev/null; then
        curl -fsS --noproxy '*' --max-time "$patience" "$@"
        return
    fi
    for each in "$@"; do
        case $each in
            -X) each=--method ;;
            -H) each=--header ;;
        esac
        arguments+=("$each")
    done
    wget -q --no-proxy --tries=1 --timeout="$patience" -O - "${arguments[@]}"
}

# What Kafka's tools and the proxy say, and what it means. One cause shows in many lines, and the last is seldom the one
# that tells: a refused login ends as a timeout.
likely_cause() {
    case $1 in
        *'No LoginModule found'* | *'unable to find LoginModule'* | *'IAMClientCallbackHandler could not be found'* | \
            *'ClassNotFoundException: software.amazon.msk'*)
            cause "the MSK IAM jar isn't on the CLASSPATH" "$OPT/lib, and Environment=CLASSPATH in $UNIT" ;;
        *UnsupportedClassVersionError*)
            cause "Java $JAVA is too old for it" "client.java_version in the manifest" ;;
        *UnknownHostException* | *'No resolvable bootstrap urls'* | *'DNS resolution failed'*)
            cause "the brokers' names have no address here" "whether the VPC resolves DNS, and is the cluster's" ;;
        *'sts:AssumeRole'* | *StsException* | *SecurityTokenServiceException*)
            cause "the instance's role may not assume awsRoleArn" "that role's trust policy" ;;
        *'Unable to load '*credentials* | *'Failed to find AWS IAM Credentials'*)
            cause "there are no AWS credentials here" "whether the instance has an instance profile" ;;
        *'does not belong to a valid region'*)
            cause "the brokers' names don't tell their region" "BOOTSTRAP_SERVERS: MSK's own names are wanted" ;;
        *'Access denied'* | *SaslAuthenticationException* | *AuthorizationException*)
            cause "the role lacks kafka-cluster:Connect or another right" "the policies of awsRoleArn's role" ;;
        *SslHandshakeException* | *SSLHandshakeException* | *'SSL handshake failed'* | *OutOfMemoryError*)
            cause "the listener speaks another protocol" "the port, and cluster.auth in the manifest" ;;
        *'Address already in use'*)
            cause "something else has the port" "ss -ltnp" ;;
        *'imed out'* | *Timeout* | *'could not be established'* | *'METADATA failed'*)
            cause "the brokers can't be reached" "the cluster's security group, and the port" ;;
        *)
            cause unknown "the lines above" ;;
    esac
}
cause() { echo "likely cause: $1; look at: $2"; }
