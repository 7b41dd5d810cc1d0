#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The driver "ssh" against a real sshd with a key of its own.  ssh talks to it
# through "sshd -i" as its proxy: a server for each connection, no port that
# somebody else could have.  Behind it a stand-in does what PowerShell would.
. "$abs_top_srcdir/tests/functions.sh"
requires jq --version
requires node --version
requires ssh -V
sshd=$(PATH=$PATH:/usr/sbin:/sbin command -v sshd) || {
    [ "$V2V_SAMPLES_REQUIRED" != 1 ] || fail "sshd is missing"
    echo "SKIP: sshd is missing" >&2
    exit 77
}
workdir
here=$PWD

# Root's sshd wants its empty folder, which a service makes elsewhere.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f host_key
ssh-keygen -q -t ed25519 -N '' -f key
cp key.pub authorized
mkdir state root
# Where the account is locked only PAM lets it in.
pam=no
if [ "$(id -u)" = 0 ] && grep -q '^root:!' /etc/shadow; then pam=yes; fi
cat >sshd_config <<END
HostKey $here/host_key
AuthorizedKeysFile $here/authorized
StrictModes no
UsePAM $pam
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PidFile none
ForceCommand $(command -v node) $abs_top_srcdir/tests/e2e/hyperv-stand-in.mjs $abs_top_srcdir/library/host-ssh.ps1 $here/state
END
echo "host $(cut -d' ' -f1,2 host_key.pub)" >known_hosts
hosts () { # MORE-OPTIONS
    jq -n --arg root "$here/root" --arg user "$(id -un)" --arg key "$here/key" \
        --arg known "$here/known_hosts" --arg proxy "$sshd -i -f $here/sshd_config" \
        '{hosts: [{name: "hv", driver: "ssh", address: "\($user)@host", path: $root,
          windows_path: "D:\\VMs", port: 2222,
          ssh_options: ["-F", "none", "-i", $key, "-o", "IdentitiesOnly=yes",
            "-o", "UserKnownHostsFile=\($known)", "-o", "HostKeyAlias=host",
            "-o", "ProxyCommand=\($proxy)"]}]}'
}
hosts >hosts.json
export V2V_HOSTS=$here/hosts.json
unset SSH_AUTH_SOCK

# A machine whose name is hostile to shells and to PowerShell.
head -c 5000000 /dev/urandom >1.raw
truncate -s 8M 1.raw
v2v copy 1.raw base.vhdx >/dev/null
name=$'x\'; Remove-Item C:\\ -Recurse; \'`$(id)`"'
v2v vm create -o out --disk base.vhdx "$name" >/dev/null
folder=$(ls out)
v2v host put --json hv "out/$folder" >put.json || fail "put"
diff -r "out/$folder" "root/$folder" || fail "the folder differs"
[ "$(ls root)" = "$folder" ] || fail "something is left: $(ls root)"
jq -e '.kept_bytes >= 0 and .sent_bytes > 4500000' put.json >/dev/null || fail "sent: $(cat put.json)"

# Again: nothing goes; a changed byte costs its block.
[ "$(v2v host put --json hv "out/$folder" | jq .sent_bytes)" = 0 ] || fail "sent again"
disk=$(ls "out/$folder"/*.vhdx)
printf x | dd of="$disk" bs=1 seek=4194305 conv=notrunc status=none
[ "$(v2v host put --json hv "out/$folder" | jq .sent_bytes)" = 2097152 ] || fail "one block"
diff -r "out/$folder" "root/$folder" || fail "the folder differs after a change"

# A connection that breaks: what arrived is not sent again.
head -c 9000000 /dev/urandom >big
touch state/break
expect_status 5 v2v host put hv big
[ ! -e root/big ] || fail "a broken file has its name"
rm state/break
[ "$(v2v host put --json hv big | jq .sent_bytes)" = $((9000000 - 2 * 2097152)) ] || fail "resumed"
cmp big root/big || fail "the resumed file differs"

# Damage on the way is found.
touch state/damage
expect_status 7 v2v host put hv 1.raw
[ ! -e root/1.raw ] || fail "a damaged file has its name"
rm state/damage

# Bases, for the library too.
v2v library init lib >/dev/null
chmod 644 base.vhdx
v2v library import --library lib base.vhdx >/dev/null
base=$(v2v host put-base --library lib hv disk/base)
case $base in bases/base-*.vhdx) ;; *) fail "base: $base" ;; esac
cmp base.vhdx "root/$base" || fail "the base differs"
[ ! -w "root/$base" ] || [ "$(id -u)" = 0 ] || fail "the base can be written to"
[ "$(v2v host put-base --library lib hv disk/base)" = "$base (was there)" ] || fail "sent twice"
v2v host check --library lib --deep hv >/dev/null || fail "check"
chmod 600 "root/$base"
printf x | dd of="root/$base" bs=1 seek=3000000 conv=notrunc status=none
expect_status 7 v2v host check --library lib --deep hv
v2v host show --json hv | jq -e --arg f "$folder" '.machines == [{name: $f, state: "unknown"}]
    and (.bases_there | length) == 1' >/dev/null || fail "show: $(v2v host show --json hv)"

# A machine of the library goes there, is started and stopped, and comes back:
# its folder is fetched, its base is there already.
mkdir here
jq --arg d "$here/here" '.hosts += [{name: "near", driver: "folder", path: $d, windows_path: "E:\\near"}]' \
    hosts.json >more.json
export V2V_HOSTS=$here/more.json
rm -f "root/$base"
v2v vm create --library lib -o made --disk disk/base --differencing web >/dev/null || fail "create"
v2v vm move --library lib --to hv web >/dev/null || fail "move to the host"
[ "$(v2v disk chain --json --search root/bases root/web/web-disk1.vhdx |
    jq -r '.layers[0].parent_absolute_path')" = "D:\\VMs\\bases\\${base#bases/}" ] || fail "path of the parent"
vm () { v2v vm "$@" --library lib --json web | jq -r '.machines[0].state'; }
[ "$(vm state)" = unknown ] || fail "registered without a word"
[ "$(vm start)" = running ] || fail "start: $(vm state)"
expect_status 2 v2v vm move --library lib --to near web
[ "$(vm stop --force)" = off ] || fail "stop"
[ "$(jq .force state/machines.json)" = true ] || fail "the plug was not pulled"
v2v vm move --library lib --to near web >/dev/null || fail "move back"
[ ! -e root/web ] || fail "the folder is left on the host"
[ "$(jq 'del(.force) | length' state/machines.json)" = 0 ] || fail "it is still registered: $(cat state/machines.json)"
v2v compare --search here/bases base.vhdx here/web/web-disk1.vhdx >/dev/null || fail "contents after two moves"

# What differs never was on a command line: as many commands as verbs.
[ "$(sort -u state/commands | wc -l)" = "$(sort -u state/commands | cut -c1-400 | sort -u | wc -l)" ] ||
    fail "commands differ beyond their verbs"
! grep -qvE '^powershell.exe [A-Za-z -]+ [A-Za-z0-9+/=]+$' state/commands || fail "a name is on a command line"

# Who does not get in is told so.
ssh-keygen -q -t ed25519 -N '' -f other
cp other.pub authorized
expect_status 5 v2v host show hv
grep -qi 'permission denied' <<<"$out" || fail "refusal: $out"
