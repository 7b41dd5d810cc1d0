#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# library.sh FOLDER ROUNDS ROWS JSON: the library against the tools that it is
# made of, in the same run.
#
#   library-ls, library-ls-json   `v2v library ls` of 100,000 objects against
#       the shell of SQLite with the same query on the same catalogue: at most
#       twice its time
#   library-where-used, library-where-used-all   10,000 objects need one; the
#       same bar
#   library-verify   `v2v library verify` of 2 GiB of disks in VHDX against
#       sha256sum of the same files: not slower; the table names both rates
#   library-million-sqlite, library-million-postgres   no bar: seconds of what
#       users do in a library of a million objects (see library-sim.c)
#
#   BENCH_LIBRARY_OBJECTS   objects of the rows with "million"; 0 leaves them
#                           out                                      1000000
#
# Called by bench.sh.
set -e
set -o pipefail
LC_ALL=C; export LC_ALL

dir=$1/library rounds=$2 rows=$3 json=$4
# The program itself: the scripts in front of it while it is not installed take
# longer than some of these rows.
v2v=${V2V:-$abs_top_builddir/convert/.libs/v2v}
[ -x "${v2v%% *}" ] || v2v=$abs_top_builddir/convert/v2v
LD_LIBRARY_PATH=$abs_top_builddir/convert/.libs:$LD_LIBRARY_PATH
export LD_LIBRARY_PATH
measure=$abs_top_builddir/tests/bench/measure
sim=$abs_top_builddir/tests/bench/library-sim
results=$dir/results
server=

say () { printf '%s\n' "$*" >&2; }
die () { say "bench: $*"; exit 1; }
finish () { [ -z "$server" ] || kill "$server" 2>/dev/null || true; }
trap finish EXIT
wants () {
    # shellcheck disable=SC2254
    case $1 in $rows) return 0 ;; *) return 1 ;; esac
}

if ! sqlite3 --version >/dev/null 2>&1; then
    say "SKIP library: sqlite3 is not installed"
    exit 0
fi
mkdir -p "$dir"
: >"$results"
export XDG_CONFIG_HOME=$dir/config

# one ROW VARIANT COMMAND: what it prints goes to a file, which is looked at by
# the caller; a line of results.
one () {
    local numbers
    numbers=$("$measure" -s "$dir/out-$2" sh -c "exec $3 >'$dir/out-$2'") ||
        die "$1: $2 failed"
    echo "$1 $2 $numbers" >>"$results"
    say "$1 $2 $numbers"
}

# row NAME OURS SQL SHELL-OPTIONS: both print as many objects.
row () {
    local r ours theirs
    wants "$1" || return 0
    make_lib
    echo "$3" >"$dir/$1.sql"
    for r in $(seq 0 "$rounds"); do # the first only fills the caches
        [ "$r" != 0 ] || : >"$dir/first"
        if [ $((r % 2)) = 0 ]; then
            one "$1" ours "$v2v $2"
            one "$1" sqlite3 "sqlite3 $4 '$lib/catalogue.db' '.read $dir/$1.sql'"
        else
            one "$1" sqlite3 "sqlite3 $4 '$lib/catalogue.db' '.read $dir/$1.sql'"
            one "$1" ours "$v2v $2"
        fi
        [ "$r" != 0 ] || sed -i "/^$1 /d" "$results"
    done
    ours=$(grep -c "$5" "$dir/out-ours")
    theirs=$(grep -c "$5" "$dir/out-sqlite3")
    if [ "$ours" != "$theirs" ] || [ "$ours" -lt 1000 ]; then
        die "$1: $ours objects, sqlite3 has $theirs"
    fi
}

lib=$dir/lib many=
make_lib () {
    [ -z "$many" ] || return 0
    say "making a catalogue of 100000 objects"
    many=$("$sim" -f -n 100000 "$lib" | awk '$1 == "many" {print $2}')
}

id_of_base=00000000-0000-4000-8000-000000000003
if wants library-ls || wants library-ls-json || wants library-where-used ||
       wants library-where-used-all; then
    make_lib
    id_of_base=$many
fi
printed="substr (id, 1, 8), kind, CASE WHEN enabled = 0 THEN 'disabled' WHEN
    state = 0 THEN 'ok' WHEN state = 1 THEN 'missing' ELSE 'changed' END, size,
    name"
all="id, kind, name, version, namespace, family, release, os, owner,
    description, digest, content, format, variant, disk_id, enabled, size,
    created, virtual_size, state"
order="ORDER BY lower (name), name, kind, created, id"
row library-ls "library ls --library $lib" \
    "SELECT $printed FROM object $order;" "" \
    '^[0-9a-f]\{8\}'
row library-ls-json "library ls --json --library $lib" \
    "SELECT $all FROM object $order;" -json '"id":'
row library-where-used "library where-used --library $lib $id_of_base" \
    "SELECT $printed FROM object WHERE id IN (SELECT object FROM relation
     WHERE other = '$id_of_base') $order;" "" '^[0-9a-f]\{8\}'
row library-where-used-all \
    "library where-used --all --library $lib $id_of_base" \
    "SELECT $printed FROM object WHERE id IN (WITH RECURSIVE needing (id) AS
     (SELECT object FROM relation WHERE other = '$id_of_base' UNION
     SELECT relation.object FROM relation JOIN needing ON relation.other =
     needing.id) SELECT id FROM needing) $order;" "" '^[0-9a-f]\{8\}'
rm -rf "$lib"

# ---- verify ----

if wants library-verify; then
    lib=$dir/verify
    $v2v library init "$lib" >/dev/null
    for i in 1 2; do
        say "making a disk of 1 GiB"
        openssl enc -aes-128-ctr -nosalt -pass "pass:$i" -pbkdf2 </dev/zero \
            2>/dev/null | head -c 1G >"$dir/$i.raw" || true
        $v2v copy --progress none --no-digest "$dir/$i.raw" \
            "$dir/big-$i.vhdx" >/dev/null
        rm "$dir/$i.raw"
        $v2v library import --progress none --library "$lib" \
            "$dir/big-$i.vhdx" >/dev/null
        rm "$dir/big-$i.vhdx"
    done
    bytes=$(stat -c %s "$lib"/share/disk/*.vhdx | awk '{s += $1} END {print s}')
    cat "$lib"/share/disk/*.vhdx >/dev/null
    for r in $(seq "$rounds"); do
        one library-verify sha256sum "sha256sum $lib/share/disk/*.vhdx"
        one library-verify ours \
            "$v2v library verify --progress none --library $lib"
        grep -q ' 0 bad' "$dir/out-ours" || die "verify: $(cat "$dir/out-ours")"
    done
    echo "library-verify bytes $bytes" >>"$results"
    rm -rf "$lib"
fi

# ---- a million ----

objects=${BENCH_LIBRARY_OBJECTS:-1000000}
if [ "$objects" != 0 ] && wants library-million-sqlite; then
    say "a library of $objects objects, SQLite"
    "$sim" -n "$objects" "$dir/million" |
        sed 's/^/library-million-sqlite /' >>"$results"
    rm -rf "$dir/million"
fi

as_nobody=
start_server () {
    local bin=''
    for bin in /usr/lib/postgresql/*/bin; do :; done
    [ -x "$bin/postgres" ] || { say "SKIP postgres: no server"; return 1; }
    mkdir "$dir/pg"
    if [ "$(id -u)" = 0 ]; then # it refuses to run as root
        chown nobody "$dir/pg"
        as_nobody="setpriv --reuid=nobody --regid=nogroup --clear-groups"
    fi
    $as_nobody "$bin/initdb" -D "$dir/pg/data" -U postgres -A trust -N \
        --locale=C -E UTF8 >/dev/null || return 1
    # As it comes, and durable: commits wait for the disk.
    $as_nobody "$bin/postgres" -D "$dir/pg/data" -k "$dir/pg" \
        -c listen_addresses= >"$dir/pg.log" 2>&1 &
    server=$!
    until "$bin/psql" -h "$dir/pg" -U postgres -c 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server" || return 1
        sleep 0.1
    done
}
if [ "$objects" != 0 ] && wants library-million-postgres && start_server; then
    say "a library of $objects objects, PostgreSQL"
    "$sim" -c "postgres://postgres@/postgres?host=$dir/pg" -n "$objects" \
        "$dir/million" | sed 's/^/library-million-postgres /' >>"$results"
    kill -INT "$server"
    wait "$server" || true
    server=
fi

# ---- the verdict ----

awk -v json="$json" -v cpus="$(nproc)" \
    -f "$abs_top_srcdir/tests/bench/library.awk" "$results"
rm -rf "$dir"
