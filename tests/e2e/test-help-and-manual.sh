#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --help, --long-options and the manual page of each command name the same
# options, both ways; tables are in alphabetical order; examples are three.
. "$abs_top_srcdir/tests/functions.sh"
workdir
pods=$abs_top_srcdir/convert

options_of_pod () { # FILE: --name of each =item under OPTIONS
    sed -n '/^=head1 OPTIONS/,/^=head1 [^O]/p' "$1" |
        sed -nE 's/^=item (B<-[a-zA-Z]>, )?B<--([a-z-]+)>.*/--\2/p' | sort
}

for c in $(v2v --commands); do
    pod=$pods/v2v-$c.pod
    [ -f "$pod" ] || fail "$c has no manual page"
    v2v "$c" --help >help || fail "$c --help"
    v2v "$c" --long-options | tr -d = >long
    sed -nE '/^Options:/,$s/^ +(-[a-zA-Z], )? *(--[a-z-]+).*/\2/p' help >in-help
    diff long in-help || fail "$c: --help and --long-options differ"
    LC_ALL=C sort -c long || fail "$c: not in alphabetical order"
    options_of_pod "$pod" >in-pod
    diff <(sort long) in-pod || fail "$c: --help and the manual differ"
    # An argument in one is an argument in the other.
    v2v "$c" --long-options | while read -r o; do
        name=${o%=}
        item=$(grep -E "^=item .*B<$name>" "$pod")
        case "$o $item" in
            *=\ *I\<*) ;;
            *=\ *) echo "$name takes an argument, says --help"; exit 1 ;;
            *I\<*) echo "$name takes an argument, says the manual"; exit 1 ;;
        esac
    done || fail "$c: arguments"
    [ "$(sed -n '/^Examples:/,/^$/p' help | grep -c 'v2v')" -ge 3 ] ||
        fail "$c: fewer than three examples"
    awk 'length > 100' help | grep . && fail "$c: --help is too wide"
    for s in NAME SYNOPSIS DESCRIPTION EXAMPLES OPTIONS "EXIT STATUS" "SEE ALSO"; do
        grep -qx "=head1 $s" "$pod" || fail "$c: the manual lacks $s"
    done
    # A command of several verbs: each tells its own options, all of which
    # the command's own --help has, and each is in the manual.
    for v in $(v2v "$c" --verbs 2>/dev/null); do
        v2v "$c" "$v" --help >verb-help || fail "$c $v --help"
        v2v "$c" "$v" --long-options | tr -d = >verb-long
        sed -nE '/^Options:/,$s/^ +(-[a-zA-Z], )? *(--[a-z-]+).*/\2/p' verb-help \
            >in-help
        diff verb-long in-help || fail "$c $v: --help and --long-options differ"
        LC_ALL=C sort -c verb-long || fail "$c $v: not in alphabetical order"
        [ -z "$(comm -23 <(sort verb-long) <(sort long))" ] ||
            fail "$c $v: options that $c does not have"
        sed -n '/^Examples:/,/^$/p' verb-help | grep -q "v2v $c $v" ||
            fail "$c $v: no example"
        awk 'length > 100' verb-help | grep . && fail "$c $v: too wide"
        grep -qE "^=item B<$v>" "$pod" || fail "$c $v is not in the manual"
        [ "$(v2v help "$c" "$v")" = "$(cat verb-help)" ] || fail "help $c $v"
    done
    # The summary is the same sentence in all three places.
    summary=$(v2v --help | sed -nE "s/^  $c +(.*)/\1/p")
    grep -qF "v2v $c - $summary" help || fail "$c: summary in --help"
    grep -qF "v2v-$c - $summary" "$pod" || fail "$c: summary in the manual"
    grep -q "v2v-$c(1)" "$pods/v2v.pod" || fail "v2v.pod does not lead to $c"
done

if command -v podchecker >/dev/null; then
    for p in "$pods"/*.pod; do
        podchecker -warnings -warnings "$p" >log 2>&1 || { cat log; fail "$p"; }
        grep -qi warning log && { cat log; fail "$p"; }
    done
fi

# What v2v --help and --machine-readable say is there.
v2v --help | grep -q '^Commands:' || fail "--help"
for c in $(v2v --commands); do
    v2v --machine-readable | grep -qx "command:$c" || fail "machine: $c"
    [ "$(v2v help "$c")" = "$(v2v "$c" --help)" ] || fail "help $c"
done
v2v --list-formats | grep -q '^vhdx  *yes  *yes' || fail "--list-formats"
v2v --version | grep -qE '^v2v [0-9]+\.[0-9]' || fail "--version"
expect_status 2 v2v
expect_status 2 v2v nonsense
expect_status 2 v2v --nonsense
