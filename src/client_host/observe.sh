#!/usr/bin/env bash
# Says what a machine has and where it is, for one who asks over Systems Manager. Changes nothing. Prints lines of a word
# and what belongs to it:
#
#     state JSON                    what `setup.sh state` says
#     public-hostname HOST          from the metadata service, as are the next two; without the line where it has none
#     public-ipv4 ADDRESS
#     role NAME                     the role that the instance's profile gives it
#     file NAME BASE64              the properties of a file, gzipped, without values that may be secret; or too-long
#     end                           that nothing was cut off
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
METADATA=${PIPELINE_METADATA:-http://169.254.169.254}/latest
LONGEST=8000

# shellcheck source=/dev/null
. "$HERE/report.sh"

# IMDSv2: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
metadata() { ask 5 -H "X-aws-ec2-metadata-token: $token" "$METADATA/meta-data/$1" 2>/dev/null || true; }
line() { [[ -z $2 ]] || echo "$1 ${2%%$'\n'*}"; }

# A file as others may read it, since Systems Manager keeps what commands print: what this tool writes, and of all else
# the key alone, where it is one for sure. A line that goes on in the next may have anything in it.
shown() {
    awk '
        function is_ours(key, value) {
            sub(/^client[.]/, "", key)
            if (key == "sasl.jaas.config") # with nothing but the role that is assumed
                return value ~ /^software[.]amazon[.]msk[.]auth[.]iam[.]IAMLoginModule required( awsRoleArn="arn:[A-Za-z0-9:\/+=,.@_-]+")?;$/
            return key ~ /^(id|listeners|host[.]name|bootstrap[.]servers|zookeeper[.]connect)$/ ||
                key ~ /^(security[.]protocol|sasl[.]mechanism|sasl[.]client[.]callback[.]handler[.]class)$/ ||
                key ~ /^ssl[.](keystore[.](type|location)|truststore[.](type|certificates))$/
        }
        goes_on { goes_on = ($0 ~ /\\$/); next }
        /^[ \t]*[#!]/ || /^[ \t]*$/ { next }
        { goes_on = ($0 ~ /\\$/) }
        {
            sub(/\r$/, "")
            at = index($0, "=")
            key = substr($0, 1, at - 1)
            value = substr($0, at + 1)
            gsub(/^[ \t]+|[ \t]+$/, "", key)
            gsub(/^[ \t]+|[ \t]+$/, "", value)
            if (!goes_on && at > 0 && is_ours(key, value)) print key "=" value
            else if (!goes_on && at > 0 && key ~ /^[a-z][a-z0-9_-]*[.][a-z0-9._-]+$/) print key "=(hidden)"
            else print "(another line)=(hidden)"
        }' "$1"
}

state=$(bash "$HERE/setup.sh" state)
echo "state $state"
token=$(ask 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$METADATA/api/token" 2>/dev/null) || token=''
line public-hostname "$(metadata public-hostname)"
line public-ipv4 "$(metadata public-ipv4)"
line role "$(metadata iam/security-credentials/)"
for name in client.properties kafka-rest.properties; do
    file=${PIPELINE_ROOT:-}/etc/pipeline-client/$name
    [[ -r $file ]] || continue
    packed=$(shown "$file" | gzip -9n | base64 -w 0)
    ((${#packed} <= LONGEST)) || packed=too-long
    echo "file $name $packed"
done
echo end
