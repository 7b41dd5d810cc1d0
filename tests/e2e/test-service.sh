#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# v2v service: a service of two tiers is planned, deployed, scaled, updated,
# interrupted, resumed, rolled back and deleted; its load balancer is checked
# by HAProxy and its names by BIND.
. "$abs_top_srcdir/tests/functions.sh"
PATH=$PATH:/usr/sbin # where Debian has HAProxy
requires jq --version
requires haproxy -v
requires named-checkzone -v
workdir
export XDG_CONFIG_HOME=$work/config

v2v library init lib >/dev/null
export V2V_LIBRARY=$work/lib
v2v copy --progress none null:8M -O vhdx base.vhdx >/dev/null
v2v library import --name base base.vhdx >/dev/null

cat >hw.xml <<'XML'
<hardware-profile xmlns="urn:v2v:library:1" name="small" generation="2">
  <memory startup-mib="512"/>
  <network-adapters><adapter name="lan" switch="Lab"/></network-adapters>
</hardware-profile>
XML
cat >guest.xml <<'XML'
<guest-os-profile xmlns="urn:v2v:library:1" name="linux">
  <network>
    <adapter mac="02:00:00:00:00:01">
      <addresses><address>192.0.2.1/24</address></addresses>
    </adapter>
  </network>
  <linux cloud-init="seed"/>
</guest-os-profile>
XML
template () { # VERSION
    cat <<XML
<vm-template xmlns="urn:v2v:library:1" name="web" version="$1">
  <description>version $1</description>
  <hardware-profile name="small"/>
  <guest-os-profile name="linux"/>
  <disks><disk name="os" boot="true" storage="differencing"><object name="base"/></disk></disks>
  <settings>
    <setting name="ADDRESS" field="guest-os.network[0].addresses"/>
  </settings>
</vm-template>
XML
}
template 1 >web-1.xml
template 2 >web-2.xml
cat >join.sh <<'SH'
echo "$V2V_PHASE $V2V_SERVICE $V2V_TIER $V2V_COMPUTER_NAME $V2V_ADDRESS $V2V_ORDINAL $#:$2" >>"$1"
[ ! -e fail-"$V2V_COMPUTER_NAME" ] || { echo "no, not $V2V_COMPUTER_NAME" >&2; exit 3; }
SH
v2v library import --kind hardware-profile --name small hw.xml >/dev/null
v2v library import --kind guest-os-profile --name linux guest.xml >/dev/null
v2v library import --kind vm-template --name web --version-of 1 web-1.xml >/dev/null
v2v library import --kind script --name join join.sh >/dev/null

cat >shop.xml <<'XML'
<service-template xmlns="urn:v2v:library:1" name="shop" version="1">
  <settings>
    <setting name="DOMAIN" mandatory="true"/>
    <setting name="LOG" default="log"/>
    <setting name="MOTTO" default="it's"/>
  </settings>
  <tiers>
    <tier name="web" order="2" minimum="1" instances="2" maximum="4" upgrade-domains="2"
          computer-name="web-##.@DOMAIN@" addresses="10.0.20.11/24-10.0.20.14">
      <vm-template name="web"/>
      <scripts>
        <script name="first" phase="first-vm" arguments="@LOG@ &quot;two words&quot;"><object name="join"/></script>
        <script name="next" phase="next-vms" arguments="@LOG@ '@DOMAIN@'"><object name="join"/></script>
        <script name="out" phase="scale-in" arguments="@LOG@"><object name="join"/></script>
        <script name="gone" phase="remove" arguments="@LOG@"><object name="join"/></script>
      </scripts>
    </tier>
    <tier name="db" order="1" computer-name="db-#.@DOMAIN@" addresses="2001:db8::5/64">
      <vm-template name="web" version="1"/>
    </tier>
  </tiers>
  <load-balancer>
    <port name="https" tier="web" protocol="https" port="443" backend-port="8443"
          address="10.0.20.1" health-path="/health"/>
    <port name="http" tier="web" protocol="http" port="80" address="10.0.20.1" sticky="true"
          balance="least-connections" health-path="/up?x=1"/>
    <port name="db" tier="db" port="5432" balance="source" sticky="true"/>
  </load-balancer>
</service-template>
XML

# Without a library the template is valid; with one its settings count, too.
v2v service validate shop.xml | grep -qx 'shop: valid' || fail "validate"
expect_status 2 v2v service validate --library lib shop.xml
echo "$out" | grep -q 'setting DOMAIN is mandatory' || fail "$out"
v2v service validate --library lib --set DOMAIN=lab.test shop.xml >/dev/null
sed 's/name="web" version="1"/name="nothing"/' shop.xml >bad.xml
expect_status 2 v2v service validate --library lib --set DOMAIN=lab.test bad.xml
echo "$out" | grep -q "tier db: no object of the library is called" || fail "$out"
# By its id, and by what it holds.
id=$(v2v library show --json vm-template/web | jq -r .id)
digest=$(v2v library show --json vm-template/web | jq -r .digest)
for by in "id=\"$id\"" "digest=\"$digest\""; do
    sed "s/name=\"web\" version=\"1\"/$by/" shop.xml >by.xml
    v2v service validate --library lib --set DOMAIN=lab.test by.xml >/dev/null || fail "by $by"
done
sed 's/name="web" version="1"/name="web" version="7"/' shop.xml >bad.xml
expect_status 2 v2v service validate --library lib --set DOMAIN=lab.test bad.xml
echo "$out" | grep -q "tier db: the library has no version 7" || fail "$out"
v2v library set --disable vm-template/web >/dev/null
expect_status 2 v2v service validate --library lib --set DOMAIN=lab.test shop.xml
echo "$out" | grep -q "tier db: version 1 of the vm-template 'web' is disabled" || fail "$out"
v2v library set --enable vm-template/web >/dev/null
# What a machine would fail at is told before the first one is made.
sed 's/<vm-template name="web"/<hardware-profile name="broken"\/>&/' shop.xml >bad.xml
sed 's/"small"/"broken"/' hw.xml >broken.xml
v2v library import --kind hardware-profile --name broken broken.xml >/dev/null
sed 's/"small" generation="2"/"broken" generation="1"/; s/<memory/<security tpm="true"\/>&/' \
    hw.xml >lib/share/hardware-profile/broken.xml
expect_status 3 v2v service deploy --set DOMAIN=lab.test -o out bad.xml
[ ! -e out ] || fail "something was made: $out"
cp broken.xml lib/share/hardware-profile/broken.xml
sed 's/instances="2"/instances="9"/' shop.xml >bad.xml
expect_status 3 v2v service validate bad.xml

# A plan writes nothing.
v2v service plan --set DOMAIN=lab.test -o out shop.xml >plan
grep -qE '^ *1\. create +db-1\.lab\.test$' plan || fail "$(cat plan)"
grep -qE '^web +2 +2 +web-02\.lab\.test +10\.0\.20\.12/24 +- +new$' plan || fail "$(cat plan)"
[ ! -e out ] || fail "the plan made something"
[ "$(v2v service ls --json | jq '.services | length')" = 0 ] || fail "ls"

v2v service deploy --set DOMAIN=lab.test -o out shop.xml >told || fail "deploy: $(cat told)"
[ "$(cat log)" = "first-vm shop web web-01.lab.test 10.0.20.11/24 1 2:two words
next-vms shop web web-02.lab.test 10.0.20.12/24 2 2:lab.test" ] || fail "scripts: $(cat log)"
names () { v2v service show --json shop | jq -r '[.machines[].computer_name] | join(" ")'; }
[ "$(names)" = "db-1.lab.test web-01.lab.test web-02.lab.test" ] || fail "machines: $(names)"
[ "$(v2v service show --json shop | jq -r .state)" = deployed ] || fail "state"
[ "$(ls -d out/*/ | wc -l)" = 3 ] || fail "folders: $(ls out)"
v2v service ls | grep -qE 'deployed +3 +shop +shop$' || fail "ls: $(v2v service ls)"
# The base of a machine of a service stays.
! v2v library rm disk/base >log2 2>&1 || fail "a base in use was removed"

# The files beside are right in the eyes of those who read them.
haproxy -c -f out/shop-haproxy.cfg >haproxy.log 2>&1 || fail "haproxy: $(cat haproxy.log)"
grep -q 'server web-02 10.0.20.12:8443 check check-ssl verify none' out/shop-haproxy.cfg ||
    fail "$(cat out/shop-haproxy.cfg)"
grep -qF 'server db-1 [2001:db8::5]:5432 check' out/shop-haproxy.cfg || fail "IPv6"
cmp out/shop-haproxy.cfg <(v2v service show --haproxy shop) || fail "show --haproxy"
zone () {
    printf '$TTL 60\n@ IN SOA ns hostmaster 1 60 60 60 60\n@ IN NS ns\nns IN A 10.0.20.2\n$INCLUDE out/shop.zone\n'
}
zone >zone
named-checkzone -D lab.test zone >records 2>zone.log || fail "zone: $(cat zone.log records)"
for r in 'shop.lab.test. .* A 10.0.20.1' 'web-01.lab.test. .* A 10.0.20.11' \
    'db-1.lab.test. .* AAAA 2001:db8::5'; do
    tr -s '\t ' ' ' <records | grep -qx "$r" || fail "'$r' is not in: $(cat records)"
done

# Scaling: limits, out, in.
expect_status 2 v2v service scale --count web=5 shop
echo "$out" | grep -q 'tier web: 5 machines, expected 1 to 4' || fail "$out"
expect_status 2 v2v service scale --count wbe=2 shop
v2v service scale --count web=3 shop >/dev/null
grep -q 'server web-03 10.0.20.13:80 ' out/shop-haproxy.cfg || fail "scale out: no server"
: >log
v2v service scale --count web=1 shop >/dev/null
[ "$(cut -d' ' -f1,4 log)" = "scale-in web-03.lab.test
scale-in web-02.lab.test" ] || fail "scale in: $(cat log)"
grep -q web-02 out/shop-haproxy.cfg out/shop.zone && fail "scale in: still there"
[ "$(ls -d out/*/ | wc -l)" = 2 ] || fail "folders: $(ls out)"

# A script that fails stops it; it is taken back, or gone on with.
touch fail-web-02.lab.test
expect_status 5 v2v service scale --count web=3 shop
echo "$out" | grep -q 'exit status 3: no, not web-02.lab.test' || fail "$out"
expect_status 2 v2v service scale --count web=2 shop
echo "$out" | grep -q "the service 'shop' is still scaling" || fail "$out"
v2v service show shop | grep -q 'next on web-02.lab.test  failed: .*exit status 3' ||
    fail "show: $(v2v service show shop)"
v2v service rollback shop >/dev/null
[ "$(names)" = "db-1.lab.test web-01.lab.test" ] || fail "rollback: $(names)"
[ "$(ls -d out/*/ | wc -l)" = 2 ] || fail "folders: $(ls out)"
expect_status 5 v2v service scale --count web=2 shop
rm fail-web-02.lab.test
v2v service resume shop >/dev/null
[ "$(names)" = "db-1.lab.test web-01.lab.test web-02.lab.test" ] || fail "resume: $(names)"
expect_status 2 v2v service resume shop

# An update replaces the tier that is made from something else now.
v2v library import --kind vm-template --name web --version-of 2 web-2.xml >/dev/null
ids () { v2v service show --json shop | jq -r ".machines[] | select(.tier == \"$1\") | .id"; }
db=$(ids db) web=$(ids web)
sed 's/sticky="true"//; s/version="1">/version="2">/' shop.xml >shop-2.xml
v2v service update --dry-run shop shop-2.xml >plan
grep -qx -- '- load-balancer\[http\].sticky: true' plan || fail "diff: $(cat plan)"
[ "$(grep -cE '^ *[0-9]+\. retire +web' plan)" = 2 ] || fail "plan: $(cat plan)"
grep -E '^ *[0-9]+\. [a-z]+ +db-1' plan && fail "db is not what changed"
v2v service update shop shop-2.xml >/dev/null
[ "$(ids db)" = "$db" ] || fail "db was replaced"
[ "$(ids web | grep -cFx "$web")" = 0 ] || fail "web was not replaced"
[ "$(names)" = "db-1.lab.test web-01.lab.test web-02.lab.test" ] || fail "update: $(names)"
[ "$(ls -d out/*/ | wc -l)" = 3 ] || fail "folders: $(ls out)"
grep -q V2VSERVER out/shop-haproxy.cfg && fail "the cookie is still there"
haproxy -c -f out/shop-haproxy.cfg >haproxy.log 2>&1 || fail "haproxy: $(cat haproxy.log)"

# Gone with all it had.
: >log
v2v service delete --dry-run shop >/dev/null
v2v service delete shop >/dev/null
[ "$(cut -d' ' -f1,4 log)" = "remove web-02.lab.test
remove web-01.lab.test" ] || fail "delete: $(cat log)"
[ -z "$(ls out)" ] || fail "left: $(ls out)"
expect_status 2 v2v service show shop
v2v library rm disk/base --force >/dev/null
v2v library verify >/dev/null

# Roles: who has none in the namespace of a template cannot make it a service.
v2v library acl grant shop user:nobody-at-all deploy >/dev/null
[ "$(v2v library acl --json | jq -r '.grants[] | "\(.namespace) \(.subject) \(.role)"')" = \
    "shop user:nobody-at-all deploy" ] || fail "acl ls: $(v2v library acl)"
expect_status 2 v2v library acl grant shop nobody-at-all deploy
expect_status 2 v2v library acl grant shop user:x owner
expect_status 2 v2v library acl revoke shop user:x
expect_status 2 v2v library acl give
v2v library acl revoke shop user:nobody-at-all >/dev/null
[ "$(v2v library acl --json | jq '.grants | length')" = 0 ] || fail "revoke"

# On hosts: each machine on the best, two of a tier apart; asked how they are.
cat >hosts.json <<JSON
{ "hosts": [
  { "name": "hv1", "driver": "folder", "path": "$work/hv1", "memory_mib": 4096 },
  { "name": "hv2", "driver": "folder", "path": "$work/hv2", "memory_mib": 1300 },
  { "name": "hv3", "driver": "folder", "path": "$work/hv3", "maintenance": true } ] }
JSON
mkdir hv1 hv2 hv3
v2v library import --name base base.vhdx >/dev/null
sed 's/<tier name="web"/& anti-affinity="true"/' shop.xml >apart.xml
v2v service plan --set DOMAIN=lab.test --hosts hosts.json -o out apart.xml >plan ||
    fail "plan: $(cat plan)"
grep -qE '^ *[0-9]+\. send +web-02' plan || fail "plan: $(cat plan)"
v2v service deploy --set DOMAIN=lab.test --hosts hosts.json -o out apart.xml >told 2>&1 ||
    fail "deploy: $(cat told)"
v2v service show --json shop >shown
[ "$(jq -r '[.machines[] | select(.tier == "web") | .host] | sort | join(" ")' shown)" = "hv1 hv2" ] ||
    fail "not apart: $(cat shown)"
for m in $(jq -r '.machines[] | "\(.host)/\(.computer_name)"' shown); do
    [ -e "$m" ] || fail "$m is not there: $(ls hv1 hv2)"
done
[ -z "$(ls -d out/*/ 2>/dev/null)" ] || fail "left here: $(ls out)"
v2v service refresh --json shop >now || [ $? = 1 ] || fail "refresh"
[ "$(jq -r '.machines | length' now)" = 3 ] || fail "refresh: $(cat now)"
# Two hosts are not enough for three that are apart; nothing is made.
expect_status 2 v2v service scale --count web=3 shop
echo "$out" | grep -q 'no host can have web-03.lab.test: ' || fail "$out"
v2v service delete --no-scripts shop >/dev/null 2>&1
[ -z "$(find hv1 hv2 -name 'web-*' -o -name 'db-*')" ] || fail "left: $(find hv1 hv2)"
