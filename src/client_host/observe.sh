#!/usr/bin/env bash
# Says what a machine has and where it is, for one who asks over Systems Manager. Changes nothing. Prints lines of a word
# and what belongs to it:
#
#     state JSON                    what `setup.sh state` says
#     public-hostname HOST          from the metadata service, as are the next two; without the line where it has none
#     public-ipv4 ADDRESS
#     role NAME                     the role that the instance's profile gives it
#     file NAME BASE64              a property file, gzipped, with everything secret replaced; too-long for one that is
#     end                           that nothing was cut off
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
METADATA=${PIPELINE_METADATA:-http://169.254.169.254}/latest
LONGEST=8000

# IMDSv2: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
ask() {
    if command -v curl >/dev/null; then
        curl -fsS --noproxy '*' --max-time 5 "$@" 2>/dev/null
    else
        local arguments=() each
        for each in "$@"; do
            case $each in
                -X) each=--method ;;
                -H) each=--header ;;
            esac
            arguments+=("$each")
        done
        wget -q --no-proxy --tries=1 --timeout=5 -O - "${arguments[@]}" 2>/dev/null
    fi
}

metadata() { ask -H "X-aws-ec2-metadata-token: $token" "$METADATA/meta-data/$1" || true; }
line() { [[ -z $2 ]] || echo "$1 ${2%%$'\n'*}"; }

printf 'state %s\n' "$(bash "$HERE/setup.sh" state)"
token=$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$METADATA/api/token") || token=''
line public-hostname "$(metadata public-hostname)"
line public-ipv4 "$(metadata public-ipv4)"
line role "$(metadata iam/security-credentials/)"
for name in client.properties kafka-rest.properties; do
    file=${PIPELINE_ROOT:-}/etc/pipeline-client/$name
    [[ -r $file ]] || continue
    # Systems Manager keeps what commands print.
    packed=$(sed -E 's/^([^=:]*(password|keystore\.key|secret)[^=:]*[=:]).*/\1(hidden)/; s/(password *= *)"[^"]*"/\1"(hidden)"/' \
        "$file" | gzip -9n | base64 -w 0)
    ((${#packed} <= LONGEST)) || packed=too-long
    echo "file $name $packed"
done
echo end
