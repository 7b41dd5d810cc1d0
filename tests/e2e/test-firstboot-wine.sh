#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The program of Windows' first boot runs its scripts in order under Debian's
# wine, by the contract of exit statuses; as a service it removes itself.
. "$abs_top_srcdir/tests/functions.sh"

exe=$abs_top_builddir/inject/firstboot/v2vfirstboot-x86_64.exe
[ -e "$exe" ] || { echo "SKIP: built without mingw-w64" >&2; exit 77; }
requires wine --version
workdir
# A prefix of our own, in the test's folder; no display, nothing of the user.
export WINEPREFIX=$work/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
export HOME=$work
unset DISPLAY WAYLAND_DISPLAY
end_wine () { timeout 60 wineserver -k 2>/dev/null || true; cleanup; }
trap end_wine EXIT
w () { timeout 120 wine "$@" 2>>wine.log; }
w wineboot -i >/dev/null || { echo "SKIP: wine does not start" >&2; exit 77; }

# script NAME LINE...: with the lines' ends of Windows
script () {
    local n=$1; shift
    mkdir -p "$base/scripts"
    printf '%s\r\n' '@echo off' "$@" >"$base/scripts/$n"
}
run () { # STATUS
    local got=0
    w "$exe" --console "$base" >/dev/null || got=$?
    [ "$got" = "$1" ] || fail "exit status $got, expected $1
$(cat "$top/firstboot.log")"
}
logged () {
    grep -qF -- "$1" "$top/firstboot.log" || fail "not in the log: $1
$(cat "$top/firstboot.log")"
}
not_logged () {
    ! grep -qF -- "$1" "$top/firstboot.log" || fail "in the log: $1"
}
# fresh NAME: a folder whose name has what cmd knows as special
fresh () {
    top="$work/$1 & %PATH% ^(x)! 'y'"
    base="$top/firstboot"
    mkdir -p "$base/scripts"
}

echo '1. order, attempts, a restart between, one at the end, nothing left'
fresh order
script 0020-two.cmd 'echo two %V2V_ATTEMPT%' \
    'if %V2V_ATTEMPT%==1 exit /b 249' 'exit /b 250'
script 0010-one.cmd 'echo one' 'exit /b 250'
script 0030-three.bat 'echo three' 'exit /b 0'
script 'nonsense.cmd' 'echo nonsense'
script '0040-a&b.cmd' 'echo nonsense'
echo secret >"$base/scripts/0050-text.txt"
run 3
[ -e "$base/scripts/0020-two.cmd" ] || fail 'not kept for the next start'
[ -e "$base/scripts-done/0010-one.cmd" ] || fail 'not moved'
[ ! -e "$top/firstboot.complete" ] || fail 'complete too early'
not_logged three
run 4
[ "$(grep -oE '^(one|two [12]|three)' "$top/firstboot.log" | tr '\n' ,)" = \
    'one,two 1,two 2,three,' ] || fail 'order'
logged 'ignored: nonsense.cmd'
logged 'ignored: 0040-a&b.cmd'
! grep -q '^nonsense' "$top/firstboot.log" || fail 'ran what is no script'
[ -e "$top/firstboot.complete" ] || fail 'no sentinel'
[ -z "$(ls -A "$base")" ] || fail "left behind: $(ls -A "$base")"
grep -qE '^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}Z ' "$top/firstboot.log" ||
    fail 'no time in the log'
run 0 # nothing to do: no restart, so it never restarts for ever

echo '2. a failure, a time limit and a missing interpreter stop nothing'
fresh failing
script 0010-fails.cmd 'exit /b 7'
script 0020-hangs.cmd 'rem v2v-time-limit: 2' 'echo hanging' \
    'ping -n 100 127.0.0.1 >nul' 'echo survived'
script 0030-after.cmd 'echo after' 'exit /b 250'
run 4
logged '0010-fails.cmd: FAILED'
logged '0020-hangs.cmd: FAILED: ended after 2 s'
logged after
not_logged survived

echo '3. restart at once (251), switch off (252), 250 alone restarts nothing'
fresh statuses
script 0010-now.cmd 'exit /b 251'
script 0020-then.cmd 'exit /b 250'
run 3
[ -e "$base/scripts/0020-then.cmd" ] || fail 'went on without the restart'
run 0
fresh off
script 0010-off.cmd 'exit /b 252'
run 6
# Switching off is not forgotten over a restart; a restart that came is.
fresh off-later
script 0010-off.cmd 'exit /b 252'
script 0020-due.cmd 'exit /b 0'
script 0030-now.cmd 'exit /b 251'
script 0040-then.cmd 'exit /b 250'
run 3
[ -e "$base/off" ] || fail 'not kept for the next start'
run 6
[ ! -e "$base/off" ] && [ ! -e "$base/due" ] || fail 'state stays'
fresh due-before
script 0010-due.cmd 'exit /b 0'
script 0020-now.cmd 'exit /b 251'
script 0030-then.cmd 'exit /b 250'
run 3
run 0
# One that is due when the service ends is due at its next start.
fresh due-later
echo yes >"$base/due"
script 0010-then.cmd 'exit /b 250'
run 4

echo '4. what always asks for one more restart is given up'
fresh forever
script 0010-again.cmd 'exit /b 249'
mkdir "$base/attempts"
printf xxxxxxxx >"$base/attempts/0010-again.cmd"
run 3
run 4
logged 'given up after 10 attempts'

echo '4b. 248: the rest runs, the service stays, once more at the next start'
fresh later
script 0010-later.cmd 'echo later %V2V_ATTEMPT%' \
    'if %V2V_ATTEMPT%==3 exit /b 250' 'exit /b 248'
script 0020-secret.cmd 'echo after' 'exit /b 250'
run 7
logged '0010-later.cmd: waits for the next start'
logged 'the service stays'
logged after
[ -e "$base/later/0010-later.cmd" ] || fail 'not kept'
[ ! -e "$base/scripts-done" ] || fail 'what has run is still there'
[ ! -e "$top/firstboot.complete" ] || fail 'complete too early'
run 7
run 0
[ "$(grep -oE '^(later [0-9]|after)' "$top/firstboot.log" | tr '\n' ,)" = \
    'later 1,after,later 2,later 3,' ] || fail 'order'
[ -z "$(ls -A "$base")" ] || fail "left behind: $(ls -A "$base")"
# What is due does not wait, and is done once.
fresh later-due
script 0010-later.cmd 'exit /b 248'
script 0020-due.cmd 'exit /b 0'
run 3
run 7
fresh later-off
script 0010-later.cmd 'exit /b 248'
script 0020-off.cmd 'exit /b 252'
run 8
run 7
mkdir -p "$base/attempts"
printf '%030d' 0 >"$base/attempts/0010-later.cmd"
run 4
logged 'given up after 31 starts'

echo '5. interrupted: again only what says that it can, and not for ever'
fresh interrupted
mkdir "$base/scripts-done"
printf '@echo off\r\nrem v2v-run-again: yes\r\necho again\r\nexit /b 250\r\n' \
    >"$base/scripts-done/0010-again.cmd"
printf 0010-again.cmd >"$base/running"
run 0
logged again
logged 'was interrupted, runs again'
fresh once
mkdir "$base/scripts-done"
printf '@echo off\r\necho twice\r\n' >"$base/scripts-done/0010-once.cmd"
printf 0010-once.cmd >"$base/running"
run 0
logged 'counts as done'
not_logged twice
fresh bad
mkdir "$base/scripts-done"
printf '..\\..\\x.cmd' >"$base/running"
run 0

echo '6. PowerShell is asked by its file, without a profile'
fresh powershell
printf 'exit 250\r\n' >"$base/scripts/0010-one.ps1"
run_ps=0
w "$exe" --console "$base" >/dev/null || run_ps=$?
logged '0010-one.ps1: begins'
[ -e "$top/firstboot.complete" ] || fail "status $run_ps"

echo '7. no script runs while Windows is being set up'
fresh setup
script 0010-one.cmd 'echo ran' 'exit /b 250'
w reg add 'HKLM\SYSTEM\Setup' /v OOBEInProgress /t REG_DWORD /d 1 /f >/dev/null
(w "$exe" --console "$base" >/dev/null) &
pid=$!
for _ in $(seq 100); do
    grep -q 'waiting for the end' "$top/firstboot.log" 2>/dev/null && break
    sleep 0.1
done
logged 'waiting for the end'
sleep 1
not_logged ran
w reg add 'HKLM\SYSTEM\Setup' /v OOBEInProgress /t REG_DWORD /d 0 /f >/dev/null
wait $pid || fail 'after setup'
logged ran

echo '8. addresses become calls of netsh'
fresh network
cat >"$base/network.txt" <<'EOF'
v2v-network 1
nic 00:50:56:aa:bb:cc
name Büro & Söhne %PATH% ^ !
address 10.0.0.5 255.255.255.0
address 10.0.0.6 255.255.255.0
gateway 10.0.0.1 0
gateway 10.0.0.2 20
dns 10.0.0.3
dns 10.0.0.4
wins 10.0.0.7
address6 2001:db8::5 64
address6 2001:db8::6 128
route6 :: 0 fe80::1 0
route6 2001:db8:1:: 48 2001:db8::9 20
dns6 2001:db8::53
dns6 2001:db8::54
domain example.com
mtu 9000
metric 10
route 10.9.0.0 255.255.0.0 10.0.0.254 1
EOF
status=0
w "$exe" --network "$base/network.txt" --print >out || status=$?
[ $status = 250 ] || fail "status $status: $(cat out)"
sed 's/^[^ ]* [^ ]* //; s/\r$//' out >got
cat >want <<'EOF'
netsh.exe interface ipv4 set address name=1 source=static address=10.0.0.5 mask=255.255.255.0 gateway=10.0.0.1
netsh.exe interface ipv4 add address name=1 address=10.0.0.6 mask=255.255.255.0
netsh.exe interface ipv4 add address name=1 gateway=10.0.0.2 gwmetric=20
netsh.exe interface ipv4 set dnsservers name=1 source=static address=10.0.0.3 validate=no
netsh.exe interface ipv4 add dnsservers name=1 address=10.0.0.4 validate=no
netsh.exe interface ipv4 set winsservers name=1 source=static address=10.0.0.7
netsh.exe interface ipv6 add address interface=1 address=2001:db8::5/64 store=persistent
netsh.exe interface ipv6 add address interface=1 address=2001:db8::6/128 store=persistent
netsh.exe interface ipv6 add route prefix=::/0 interface=1 nexthop=fe80::1 store=persistent
netsh.exe interface ipv6 add route prefix=2001:db8:1::/48 interface=1 nexthop=2001:db8::9 metric=20 store=persistent
netsh.exe interface ipv6 set dnsservers name=1 source=static address=2001:db8::53 validate=no
netsh.exe interface ipv6 add dnsservers name=1 address=2001:db8::54 validate=no
netsh.exe interface ipv4 set interface 1 metric=10 store=persistent
netsh.exe interface ipv4 set subinterface 1 mtu=9000 store=persistent
domain example.com
netsh.exe interface set interface name="new" newname="Büro & Söhne %PATH% ^ !"
route.exe add 10.9.0.0 mask 255.255.0.0 10.0.0.254 metric 1
EOF
cmp got want || fail "$(diff want got)"
for bad in 'address 10.0.0.5&calc 255.255.255.0' 'name a"b' 'name a|b' \
    'address 10.0.0.5' 'mtu 70000' 'unknown x' 'route 1.2.3.4 255.0.0.0' \
    'address6 2001:db8::5' 'address6 2001:db8::5 129' 'address6 ::&calc 64' \
    'address6 fe80::1%3 64' 'route6 :: 0' 'route6 :: 0 x' 'dns6 a&b'; do
    printf 'v2v-network 1\nnic 00:50:56:aa:bb:cc\n%s\n' "$bad" >bad.txt
    status=0
    w "$exe" --network bad.txt --print >out || status=$?
    [ $status = 1 ] || fail "taken: $bad"
    grep -q 'not a list of addresses' out || fail "$bad: $(cat out)"
done
# An adapter that is not there: twice a restart at once, then again at later
# starts, ten of them, then a failure.
printf 'v2v-network 1\nnic 02:00:00:00:00:99\naddress 10.0.0.5 255.0.0.0\n' \
    >absent.txt
status=0
V2V_ATTEMPT=1 w "$exe" --network absent.txt --wait 0 >out || status=$?
[ $status = 249 ] || fail "absent adapter: $status $(cat out)"
status=0
V2V_ATTEMPT=3 w "$exe" --network absent.txt --wait 0 >out || status=$?
[ $status = 248 ] || fail "absent adapter: $status $(cat out)"
grep -q 'next start of Windows (10 more times)' out || fail "said: $(cat out)"
status=0
V2V_ATTEMPT=13 w "$exe" --network absent.txt --wait 0 >out || status=$?
[ $status = 1 ] || fail "absent adapter: $status"
grep -q '02:00:00:00:00:99' out || fail 'which adapter?'
grep -q 'were not there at 13 starts: given up' out || fail "said: $(cat out)"

echo '9. the scripts that a conversion queues, on a constructed guest'
if [ -x "$abs_top_builddir/tests/gen/mkfirstboot" ]; then
    drive=$WINEPREFIX/drive_c top="$WINEPREFIX/drive_c/Program Files/v2v"
    base="$top/firstboot"
    mkdir -p guest drivers/net
    printf '[Version]\nSignature=x\nCatalogFile=a.cat
[Manufacturer]\na=m,NTamd64\n' >'drivers/net/a & b 100%.inf'
    touch drivers/net/a.cat
    "$abs_top_builddir/tests/gen/mkfirstboot" "$work/guest" "$work/drivers"
    cp -r 'guest/Program Files/v2v' "$drive/Program Files/"
    cp -r guest/Windows/Drivers "$drive/windows/"
    mkdir -p "$drive/Program Files/VMware/VMware Tools/sub" \
        "$drive/Program Files/VMware/Other" \
        "$drive/ProgramData/VMware/VMware Tools"
    touch "$drive/Program Files/VMware/VMware Tools/sub/x.dll"
    vmware='HKLM\SOFTWARE\VMware, Inc.'
    w reg add "$vmware\\VMware Tools" /v a /d 1 /f >/dev/null
    w reg add "$vmware\\Other" /v a /d 1 /f >/dev/null
    san='HKLM\SYSTEM\CurrentControlSet\Services\partmgr\Parameters'
    w reg add "$san" /v SanPolicy /t REG_DWORD /d 1 /f >/dev/null
    export V2V_NETWORK_WAIT=0
    cp "$base/files/network.txt" .
    for _ in 1 2; do
        run 3 # the adapter is not there: once more after a restart
        [ -e "$base/scripts/1000-network.cmd" ] || fail 'network is not kept'
        # Nothing else has the addresses any more.
        cmp network.txt "$top/network.txt" || fail 'the addresses are lost'
    done
    # Then it waits for ordinary starts: everything else is done meanwhile.
    run 3
    for s in 2000-disks-online 9000-san-policy; do
        logged "$s.cmd: exit status 250"
    done
    run 7
    [ -e "$base/files/network.txt" ] || fail 'the list is gone'
    printf %012d 0 >"$base/attempts/1000-network.cmd"
    run 4
    logged 'at 13 starts: given up'
    logged 'no adapter has the MAC address 02:00:00:00:00:99'
    logged 'not all addresses are set: they are kept in'
    cmp network.txt "$top/network.txt" || fail 'the addresses are lost'
    for s in 1000-network 2000-disks-online 3000-drivers-00-drivers \
        8000-vmware-tools-uninstall 8010-vmware-tools-clean-up \
        9000-san-policy; do
        logged "$s.cmd: exit status"
    done
    logged '2000-disks-online.cmd: exit status 250'
    logged '9000-san-policy.cmd: exit status 250'
    logged '0 devices of VMware removed'
    ! grep -qiE 'syntax error|unexpected' "$top/firstboot.log" ||
        fail "$(cat "$top/firstboot.log")"
    [ ! -e "$drive/Program Files/VMware/VMware Tools" ] || fail 'tools stay'
    [ -e "$drive/Program Files/VMware/Other" ] || fail 'another product went'
    [ ! -e "$drive/ProgramData/VMware" ] || fail 'an empty folder stays'
    ! w reg query "$vmware\\VMware Tools" >/dev/null || fail 'a key stays'
    w reg query "$vmware\\Other" >/dev/null || fail 'another key went'
    w reg query "$san" /v SanPolicy >out
    grep -q '0x2' out || fail "policy: $(cat out)"
    [ "$(ls -A "$base")" = v2vfirstboot.exe ] || fail "left: $(ls -A "$base")"
    rm -rf "$top"
fi

echo '10. as a service: the scripts run, service and folder go, the log stays'
top="$WINEPREFIX/drive_c/Program Files/v2v" base="$top/firstboot"
mkdir -p "$base"
chmod 777 "$top"
cp "$exe" "$base/v2vfirstboot.exe"
script 0010-one.cmd 'echo as a service' 'exit /b 250'
# The values that the conversion writes; then Windows starts.
key='HKLM\SYSTEM\CurrentControlSet\Services\v2v-firstboot'
image='"%SystemDrive%\Program Files\v2v\firstboot\v2vfirstboot.exe"'
w reg add "$key" /v Type /t REG_DWORD /d 16 /f >/dev/null
w reg add "$key" /v Start /t REG_DWORD /d 2 /f >/dev/null
w reg add "$key" /v ErrorControl /t REG_DWORD /d 1 /f >/dev/null
w reg add "$key" /v ImagePath /t REG_EXPAND_SZ /d "$image" /f >/dev/null
w reg add "$key" /v ObjectName /d LocalSystem /f >/dev/null
timeout 60 wineserver -k || true
timeout 60 wineserver -w || true
# Wine ends its services when no program runs any more.
(w ping -n 60 127.0.0.1 >/dev/null || true) &
for _ in $(seq 600); do
    [ -e "$base" ] || break
    sleep 0.1
done
[ ! -e "$base" ] || fail "the folder is still there: $(ls -R "$base")
$(cat "$top/firstboot.log")"
logged 'as a service'
# Wine keeps access control as the mode of the file: nobody else may change
# the folder in which the program lies, or the log.
for f in "$top" "$top/firstboot.log"; do
    case $(stat -c %a "$f") in
        *[2367]) fail "open to everybody: $(stat -c '%a %n' "$f")" ;;
    esac
done
[ -e "$top/firstboot.complete" ] || fail 'no sentinel'
for _ in $(seq 20); do
    w reg query "$key" >/dev/null || exit 0
    sleep 1
done
fail 'the service is still there'
