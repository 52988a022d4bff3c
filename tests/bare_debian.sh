#!/bin/sh
# Shows on demand that a bare Debian 12 is enough: makes one with debootstrap and runs in it
#   1. the README's first command (with --self-test, so that it ends),
#   2. the README's second command,
#   3. the steps of the Dockerfile, both stages, and its health check.
#
#   tests/bare_debian.sh [demo] [tests] [image]     (as root; all three by default)
#
# It reads the two commands from README.md and the steps from Dockerfile: what is tested is what
# is written.  ROOT names the folder to build in (default: a new temporary one, removed at the end).
# This machine's package and certificate settings are lent to the new root.
set -eu
project=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "bare_debian.sh: run me as root: debootstrap and chroot need it" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "bare_debian.sh: apt-get install debootstrap" >&2; exit 2; }

parts=${*:-demo tests image}
root=${ROOT:-$(mktemp -d)}
keep=${ROOT:+yes}
mounts=""

leave() {
    for place in $mounts; do umount -l "$place" 2>/dev/null || true; done
    [ -n "$keep" ] || rm -rf --one-file-system "$root"
}
trap leave EXIT INT TERM

lend() { # copy a setting of this machine, where it has it, into root $1
    for path in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/auth.conf.d /etc/apt/keyrings \
        /etc/apt/trusted.gpg.d /etc/apt/apt.conf.d /etc/pip.conf /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
        [ -e "$path" ] || continue
        mkdir -p "$1$(dirname "$path")"
        cp -rL "$path" "$1$(dirname "$path")/" 2>/dev/null || true
    done
}

mirror() { # the mirror this machine uses for Debian
    sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep -v security | head -n 1
}

new_root() { # a fresh Debian 12 in $1
    debootstrap --variant=minbase --include=ca-certificates bookworm "$1" "$(mirror)" >"$root/debootstrap.log" 2>&1 ||
        { tail -n 20 "$root/debootstrap.log" >&2; exit 1; }
    lend "$1"
    mount --bind /proc "$1/proc" && mounts="$mounts $1/proc"
    mount --bind /dev "$1/dev" && mounts="$mounts $1/dev"
}

inside() { # run a shell text in root $1, with nothing of this shell's environment but certificates
    chroot "$1" /usr/bin/env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
        ${PIP_DEFAULT_TIMEOUT:+PIP_DEFAULT_TIMEOUT="$PIP_DEFAULT_TIMEOUT"} \
        sh -euc "$2"
}

project_into() { # the committed tree, as a newcomer clones it
    mkdir -p "$1"
    git -C "$project" archive HEAD | tar -x -C "$1"
}

readme_command() { # the Nth shell block marked "# command N" in the README
    awk -v mark="# command $1" '$0 == mark {inside = 1; next} /^```/ {inside = 0} inside' "$project/README.md"
}

say() { printf '\n== %s\n' "$*"; }

for part in $parts; do
    case $part in
        demo | tests)
            if [ ! -d "$root/machine" ]; then
                say "A bare Debian 12"
                new_root "$root/machine"
                project_into "$root/machine/root/voice-gateway"
            fi ;;
        image) ;;
        *) echo "bare_debian.sh: what is '$part'? (demo, tests, image)" >&2; exit 2 ;;
    esac
done

for part in $parts; do
    case $part in
        demo)
            say "README, command 1"
            inside "$root/machine" "cd /root/voice-gateway; $(readme_command 1) --self-test --json" ;;
        tests)
            say "README, command 2"
            inside "$root/machine" "cd /root/voice-gateway; $(readme_command 2)" ;;
        image)
            say "Dockerfile, stage 1"
            new_root "$root/build"
            mkdir -p "$root/build/src"
            project_into "$root/build/src"
            # the RUN or ENV lines of each stage, joined; `stage N RUN` prints the Nth stage's
            stage() {
                awk -v want="$1" -v word="^$2 " '/^FROM/ {n++} n == want && $0 ~ word {run = 1; sub(word, "")}
                    n == want && run {line = $0; more = sub(/\\$/, "", line); printf "%s ", line; if (!more) {print ""; run = 0}}' \
                    "$project/Dockerfile"
            }
            inside "$root/build" "$(stage 1 RUN)"
            say "Dockerfile, stage 2"
            new_root "$root/image"
            inside "$root/image" "$(stage 2 RUN)"
            cp -r "$root/build/opt/voice-gateway" "$root/image/opt/voice-gateway"
            say "The image serves as an ordinary user, is healthy, and takes a call from outside of loopback"
            check=$(sed -n 's/^ *CMD \["python3", "-c", "\(.*\)"\]$/\1/p' "$project/Dockerfile")
            address=$(hostname -I | cut -d " " -f 1)
            address=${address:-127.0.0.1}
            mkdir -p "$root/image/etc/voice-gateway"
            cat >"$root/image/etc/voice-gateway/gateway.toml" <<CONFIG
[[trunks]]
name = "neighbour"
hosts = ["$address"]
[realtime]
provider = "embedded"
CONFIG
            cat >"$root/image/tmp/serve.sh" <<SERVE
$(stage 2 ENV | sed 's/^/export /')
export GATEWAY_SIP__BIND=udp:0.0.0.0:15060 GATEWAY_HTTP__BIND=0.0.0.0:18080  # free where 5060 is not
cd /var/lib/voice-gateway
voice-gateway demo --self-test --json
voice-gateway embedded & service=\$!
voice-gateway serve & served=\$!
result=1
for second in 1 2 3 4 5 6 7 8 9 10; do
    sleep 1
    if python3 -c "$check" 2>/dev/null; then
        echo healthy
        voice-gateway call sip:demo@$address:15060 --seconds 3 --json && result=0
        break
    fi
done
kill \$served \$service; wait; exit \$result
SERVE
            inside "$root/image" "su voice-gateway -s /bin/sh /tmp/serve.sh" ;;
    esac
done
say "All of it passed: $parts"
