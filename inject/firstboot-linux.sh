#!/bin/sh
# Run the scripts that v2v left, once and in order, then remove itself.
#
# A script is moved away before it is run: one that restarts the machine, or
# one during which the power fails, is not run again; the rest is run at the
# next start.  Scripts may hold passwords: each is removed after it ran.
# V2V_FIRSTBOOT_ROOT is where a test has its tree.

root=${V2V_FIRSTBOOT_ROOT-}
lib=$root/usr/lib/v2v-firstboot
log=$root/var/log/v2v-firstboot.log
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HOME=/root
export PATH HOME
umask 077

say () {
    echo "$(date '+%Y-%m-%d %H:%M:%S') v2v-firstboot: $*"
}

is_writable () {
    { : > "$lib/probe"; } 2>/dev/null && rm -f "$lib/probe"
}

# Where / is still read-only (fsck, an old init) it is made writable; if that
# is impossible everything stays for the next start.
need_writable () {
    is_writable && return
    mount -o remount,rw "$root/" 2>/dev/null
    is_writable && return
    say "$lib cannot be written, the scripts stay for the next start"
    exit 1
}

open_log () {
    mkdir -p "$root/var/log" 2>/dev/null
    # A failing redirection of exec would end the shell: tried first.
    if ( : >> "$log" ) 2>/dev/null; then
        exec >> "$log" 2>&1
    fi
}

run_scripts () {
    failed=0
    for f in "$lib"/running/*; do
        [ -f "$f" ] || continue
        say "${f##*/} did not return at an earlier start; it is not run again"
        rm -f "$f"
    done
    for f in "$lib"/scripts/*; do
        [ -f "$f" ] || continue
        name=${f##*/}
        # The copies of editors and package managers are not ours.
        case $name in
            [0-9][0-9][0-9][0-9]-*) ;;
            *) continue ;;
        esac
        mkdir -p "$lib/running"
        if ! mv -f "$f" "$lib/running/$name"; then
            say "$name cannot be moved, it is not run"
            failed=$((failed + 1))
            continue
        fi
        sync
        say "$name starts"
        ( cd "$root/" && "$lib/running/$name" ) < /dev/null
        status=$?
        rm -f "$lib/running/$name"
        say "$name ended with status $status"
        [ "$status" = 0 ] || failed=$((failed + 1))
    done
}

disable () {
    rm -f "$root/etc/systemd/system/multi-user.target.wants/v2v-firstboot.service" \
          "$root/etc/systemd/system/v2v-firstboot.service" \
          "$root"/etc/rc[2345].d/S??v2v-firstboot \
          "$root"/etc/rc.d/rc[2345].d/S??v2v-firstboot \
          "$root"/etc/init.d/rc[2345].d/S??v2v-firstboot \
          "$root/etc/init.d/v2v-firstboot" \
          "$root/etc/local.d/v2v-firstboot.start"
    if [ -f "$lib/local-was-off" ]; then
        rm -f "$root/etc/runlevels/default/local"
    fi
    rm -rf "$lib"
    rm -f "$root/usr/sbin/v2v-firstboot"
}

main () {
    [ -d "$lib" ] || exit 0
    need_writable
    open_log
    run_scripts
    disable
    sync
    say "done, $failed of the scripts failed"
    [ "$failed" = 0 ]
    exit
}

main
