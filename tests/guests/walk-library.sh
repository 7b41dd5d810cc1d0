#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The walk of the README through a library with a real Debian: its OVA is
# converted into the library, a generalised copy becomes a base, a template and
# three machines with static addresses are made of it, then a service of two
# tiers; two of the results are started, and tell their names and addresses.
#
# The seeds that v2v makes are read by a real cloud-init here, and the chains
# of differencing disks are started.
. "$abs_top_srcdir/tests/functions.sh"
. "$abs_top_srcdir/tests/guests/guest-functions.sh"
requires jq --version
workdir
export XDG_CONFIG_HOME=$work/config
make_guest --suite bookworm --network cloud
ln -s "$ova" debian.ova

# ---- as the README has it ----

v2v library init lib --name main >/dev/null
export V2V_LIBRARY=main
v2v convert --progress none debian.ova --library main >convert.log 2>&1 ||
    { cat convert.log; fail "convert"; }
disk=$(v2v library ls --kind disk --json | jq -r '.objects[0].id')
vhdx=$(v2v library show "$disk" --json | jq -r '.locations[0].path')
before=$(sha256_of "$vhdx")

v2v customize --progress none --generalize -o web-base.vhdx "$vhdx" \
    >generalize.log 2>&1 || { cat generalize.log; fail "--generalize"; }
[ "$(sha256_of "$vhdx")" = "$before" ] || fail "the converted disk was written"
v2v library import --progress none web-base.vhdx --family debian --release 12 \
    --os debian12-64 >/dev/null

v2v profile create hardware --library main --name small --set generation=1 \
    --set processor.count=2 --set memory.startup-mib=1024 \
    --set 'network-adapters[0].name=lan' \
    --set 'network-adapters[0].switch=Lab' >/dev/null || fail "hardware"
cat >hello.sh <<'SH'
#!/bin/sh
echo "$(hostname) started" >/var/lib/v2v-first-boot
SH
v2v library import --kind script hello.sh >/dev/null
cat >guest.json <<'JSON'
{ "time_zone": "Europe/Vienna",
  "network": [ { "mac": "02:00:00:00:00:01", "addresses": [ "192.0.2.1/24" ],
                 "gateways": [ "192.0.2.1" ] } ],
  "scripts": [ { "file": "hello" } ],
  "linux": { "users": [ { "name": "admin", "comment": "of @COMPUTER_NAME@" } ] } }
JSON
v2v profile import guest.json --name linux --library main >/dev/null ||
    fail "guest profile"
v2v template create --library main --name web --disk web-base \
    --hardware small --guest-os linux --computer-name 'web-##' \
    --set generalized=true --set os=debian12-64 \
    --set 'settings[ADDRESS].field=guest-os.network[0].addresses' \
    --set 'settings[ADDRESS].mandatory=true' >/dev/null || fail "template"

v2v vm create --template web --count 3 -o vms \
    --set 'ADDRESS=192.0.2.@ORDINAL+10@/24' >vms.log 2>&1 ||
    { cat vms.log; fail "vm create"; }
[ "$(cd vms && echo *)" = "web-01 web-02 web-03" ] || fail "$(ls vms)"

cat >shop.xml <<'XML'
<service-template xmlns="urn:v2v:library:1" name="shop" version="1">
  <tiers>
    <tier name="db" order="1" computer-name="db-#" addresses="192.0.2.50/24">
      <vm-template name="web"/>
    </tier>
    <tier name="web" order="2" minimum="1" instances="2" maximum="4"
          computer-name="shop-##" addresses="192.0.2.51/24-192.0.2.54">
      <vm-template name="web"/>
    </tier>
  </tiers>
  <load-balancer>
    <port name="http" tier="web" protocol="http" port="80" address="192.0.2.60"/>
  </load-balancer>
</service-template>
XML
v2v service deploy --library main -o shop shop.xml >service.log 2>&1 ||
    { cat service.log; fail "service deploy"; }
[ "$(v2v service show --json shop |
    jq -r '[.machines[].computer_name] | sort | join(" ")')" = \
    "db-1 shop-01 shop-02" ] || fail "$(v2v service show shop)"

# ---- what came of it ----

v2v library verify --progress none >/dev/null || fail "verify"
expect_status 2 v2v library rm disk/web-base
[ "$(v2v vm ls --json | jq '.machines | length')" = 6 ] || fail "$(v2v vm ls)"

# start NAME FOLDER ADDRESS: started, it is who it should be.
start () {
    local json=$2/$1.json seed
    mac=$(jq -r '.target.network_adapters[0].mac' "$json" |
        sed -E 's/(..)(..)(..)(..)(..)(..)/\1:\2:\3:\4:\5:\6/')
    seed=$(echo "$2"/*-seed.iso)
    # QEMU reads no chains of VHDX: what the child shows is copied.
    v2v copy --progress none --no-digest --search "$(dirname "$vhdx")" \
        "$(echo "$2"/*-disk1.vhdx)" "$1-flat.vhdx" >/dev/null ||
        fail "$1: its disk"
    machine_arguments "$(jq .target.generation "$json")" "$1-flat.vhdx" "$seed"
    # shellcheck disable=SC2034  # of boots
    guest_name=$1
    boots "$1" 900 "${machine[@]}"
    witnessed "$1" "its name" "^host: $1\$"
    witnessed "$1" "its address" "^addr: .* $3( |\$)"
    witnessed "$1" "the address of its card" "^link: .* ${mac,,} "
    witnessed "$1" "the way out" '^route: default via 192.0.2.1'
    witnessed "$1" "cloud-init" '^cloud-init: status: done'
    witnessed "$1" "its instance" "^instance: v2v-$(jq -r .id "$json")\$"
    witnessed "$1" "the time zone" '^time zone: .*Europe/Vienna$'
    witnessed "$1" "the account" "^user: admin:.*:of $1:"
    witnessed "$1" "the script" "^script: $1 started\$"
    ! grep -q '^failed:' "$1.witness" || fail "$1: $(cat "$1.witness")"
    rm "$1-flat.vhdx"
}
start web-02 vms/web-02 192.0.2.12/24
start db-1 shop/db-1 192.0.2.50/24
[ "$(cat web-02.witness db-1.witness | grep '^machine-id:' | sort -u |
    grep -vc 76327600000000000000000000000001)" = 2 ] ||
    fail "one machine-id for two: $(grep '^machine-id' ./*.witness)"
