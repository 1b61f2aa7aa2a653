# shellcheck shell=bash
# The archives that setup.sh installs: they are downloaded, verified, unpacked, and only then given their names. What is
# deleted is what was unpacked, and nothing else. setup.sh reads this file; it does nothing by itself.
#
# Each lies in a folder under a name of its own, and a link with a lasting name leads to it. A list of its files, in the
# state folder, is made before it gets its name: with both it is whole.

# Tells of a step's archive: where it belongs, where it is from. With an empty name, none is wanted.
package_describe() {
    local of
    folder=$OPT proof=''
    case $1 in
        kafka) of=KAFKA link=kafka proof=bin/kafka-broker-api-versions.sh name=kafka_$KAFKA_SCALA-$KAFKA_VERSION ;;
        iam-jar) of=IAM_JAR link=aws-msk-iam-auth.jar folder=$OPT/lib name=aws-msk-iam-auth-$IAM_JAR_VERSION-all.jar ;;
        rest-proxy) of=REST_PROXY link=confluent proof=bin/kafka-rest-start name=confluent-$REST_PROXY_VERSION ;;
    esac
    local version_of=${of}_VERSION url_of=${of}_URL sum_of=${of}_SUM sum_url_of=${of}_SUM_URL
    version=${!version_of} url=${!url_of} sum=${!sum_of} sum_url=${!sum_url_of}
    key=client.checksums.${of,,}
    [[ -n $version ]] || name=''
}

package_complete() { [[ -e $STATE/$1.files && -e $folder/$1${proof:+/$proof} ]]; }

# The name of what is installed for a step.
package_installed() {
    local there
    package_describe "$1"
    there=$(readlink "$folder/$link") || return 0
    ! package_complete "$there" || echo "$there"
}

# The name of what is wanted for a step.
package_wanted() { package_describe "$1" && echo "$name"; }

package_pending() { package_describe "$1" && [[ $name != "$(package_installed "$1")" ]]; }

package_install() {
    if ! package_pending "$1"; then
        say "${version:-none wanted}, nothing to do"
    elif [[ -z $name ]]; then
        rm -f "$folder/$link"
        say "not wanted any more"
    else
        package_complete "$name" || package_unpack
        ln -sfn "$name" "$folder/.$link.new"
        mv -T "$folder/.$link.new" "$folder/$link"
        say "$version is in place"
    fi
}

package_unpack() {
    local archive=$STATE/download/archive fresh=$OPT/.new${folder#"$OPT"}/$name
    mkdir -p "$STATE/download"
    sum_find
    say "downloading $(shown "$url")"
    download "$url" "$archive"
    sum_check "$archive"
    mkdir -p "$folder" "${fresh%/*}"
    if [[ -z $proof ]]; then
        mv "$archive" "$fresh"
    else
        say "unpacking"
        mkdir "$fresh"
        tar -xzf "$archive" --strip-components=1 --no-same-owner -C "$fresh"
        [[ -e $fresh/$proof ]] || refuse 66 "$(shown "$url") has no $proof: it is the archive of something else"
    fi
    # Kafka's tools make this folder where it isn't there, and complain when they are run by someone who may not.
    [[ $link != kafka ]] || mkdir -p "$fresh/logs"
    [[ ! -e $STATE/$name.files && ! -e $STATE/$name.removing ]] || package_delete "$name"
    if [[ -e $folder/$name ]]; then
        say "$folder/$name isn't from here: it is $folder/$name.kept-$(date +%s) now"
        mv -T "$folder/$name" "$folder/$name.kept-$(date +%s)"
    fi
    (cd "$OPT/.new" && find . -xtype f -print0 | sort -z | xargs -0 sha256sum) >"$STATE/.files.new"
    mv "$STATE/.files.new" "$STATE/$name.files"
    mv -T "$fresh" "$folder/$name"
    rm -rf "$OPT/.new" "$STATE/download"
}

# Deletes the files that were unpacked. What someone else has put there, or changed, stays.
package_delete() {
    local files=$STATE/$1.removing path=$OPT/$1 ours
    [[ $1 != *.jar ]] || path=$OPT/lib/$1
    # From here on it is not whole any more.
    [[ ! -e $STATE/$1.files ]] || mv "$STATE/$1.files" "$files"
    ours=$(cd "$OPT" && { sha256sum --check "$files" 2>/dev/null || true; } | sed -n 's/: OK$//p')
    (cd "$OPT" && xargs -r -d '\n' rm -f -- <<<"$ours")
    [[ ! -d $path ]] || find "$path" -depth -type d -empty -delete
    if [[ -e $path ]]; then
        find "$path" ! -type d -printf "== $STEP: kept %p, which someone else has put there or changed\n" | sed -n 1,20p
    else
        say "deleted $path"
    fi
    rm -f "$files"
}

# The names of what is unpacked, but is not what is wanted, installed, or none of both.
packages_old() {
    local file other each kept=' '
    [[ $1 == none ]] || for each in kafka iam-jar rest-proxy; do kept+="$("package_$1" "$each") "; done
    for file in "$STATE"/*.files "$STATE"/*.removing; do
        other=${file##*/}
        other=${other%.*}
        [[ ! -e $file || $kept == *" $other "* ]] || echo "$other"
    done
}

# Addresses of mirrors may have a password in them.
shown() { printf '%s\n' "$1" | sed 's|://[^/@]*@|://|'; }

download() {
    if command -v curl >/dev/null; then
        curl -fsSL --retry 3 --connect-timeout 30 --speed-limit 1 --speed-time 60 -o "$2" "$1"
    else
        wget -q --tries=3 --timeout=60 -O "$2" "$1"
    fi || refuse 1 "$(shown "$1") can't be downloaded: is it there, and may this machine reach it?"
}

# Finds out what the archive's checksum must be, and remembers who says so.
sum_find() {
    if [[ -n $sum ]]; then
        wanted=${sum,,} witness=$key
    elif [[ -n $sum_url ]]; then
        witness=$(shown "$sum_url")
        download "$sum_url" "$STATE/download/sums"
        wanted=$(sum_published "$STATE/download/sums" "${url##*/}")
        [[ -n $wanted ]] || refuse 65 "$witness has no checksum for ${url##*/}: set $key in the manifest"
    else
        refuse 65 "$(shown "$url") can't be verified, as no checksum of it is known: set $key in the manifest"
    fi
    # Some publishers have nothing better than SHA-1; nobody needs to pin that.
    case ${#wanted}${sum:+ pinned} in
        40) kind=sha1 ;;
        64*) kind=sha256 ;;
        128*) kind=sha512 ;;
        *) refuse 65 "$key is neither a sha256 nor a sha512" ;;
    esac
}

# The longest checksum that a publisher's file has for a name, or the only one that it has. It may say `HEX  name`,
# `SHA512 (name) = HEX`, the bare hex, or, as gpg does, `name: AB12 …` over several lines.
sum_published() {
    awk -v name="$2" '
        function found(hex, mine) {
            if (hex !~ /^[0-9a-f]+$/ || (length(hex) != 40 && length(hex) != 64 && length(hex) != 128)) return
            count++
            only = hex
            if (mine && length(hex) > length(best)) best = hex
        }
        { sub(/\r$/, "") }
        /^[^ \t]+:/ {
            found(groups, of == name)
            of = substr($0, 1, index($0, ":") - 1)
            groups = tolower(substr($0, index($0, ":") + 1))
            gsub(/[ \t]/, "", groups)
            next
        }
        of != "" && /^[0-9A-Fa-f \t]+$/ { gsub(/[ \t]/, ""); groups = groups tolower($0); next }
        { for (i = 1; i <= NF; i++) found(tolower($i), $NF == name || $NF == "*" name || $2 == "(" name ")") }
        END { found(groups, of == name); print best != "" ? best : count == 1 ? only : "" }' "$1"
}

sum_check() {
    local found
    found=$("${kind}sum" <"$1")
    found=${found%% *}
    if [[ $found != "$wanted" ]]; then
        rm -rf "$STATE/download"
        [[ $(cd "$STATE" && echo *) != owner ]] || rm -f "$STATE/owner"
        rmdir --ignore-fail-on-non-empty "$STATE"
        refuse 66 "$(shown "$url") isn't what it must be: expected $kind $wanted ($witness), found $found"
    fi
    say "its $kind is what $witness says"
}
