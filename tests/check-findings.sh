#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every id of a finding in the sources is in v2v-findings(5), and nothing else.
set -e
LC_ALL=C; export LC_ALL
. "$abs_top_srcdir/tests/functions.sh"

cd "$abs_top_srcdir"
pod=convert/v2v-findings.pod
documented=$(grep -oE '^=item B<[a-z0-9.-]+>' $pod | sed 's/.*<//; s/>//' | sort)
twice=$(printf '%s\n' "$documented" | uniq -d)
[ -z "$twice" ] || fail "described twice: $twice"

# An id is a string whose first word is that of a known id.  Settings of a
# .vmx file, names of files and paths of fields can look like one.
words=$(printf '%s\n' "$documented" | sed 's/\..*//' | sort -u | paste -sd '|')
used=$(grep -hoE "\"($words)\.[a-z0-9]+[a-z0-9.-]*\"" \
    formats/*.c inject/*.c library/*.c convert/*.c | tr -d '"' |
    grep -vxE 'device\.map|disk\.(sys|vhdx|vmdk)|hardware\.(generation|(firmware|memory|processor|security)\.[a-z-]*)|library\.json|snapshot\.action|vmx\.encryptiontype|memory\.(dynamic|priority|buffer-percent|[a-z-]*-mib)' | sort -u)
[ "$(printf '%s\n' "$used" | wc -l)" -gt 100 ] || fail "ids are not found"

missing=$(comm -23 <(printf '%s\n' "$used") <(printf '%s\n' "$documented"))
[ -z "$missing" ] || fail "not in $pod: $missing"
gone=$(comm -13 <(printf '%s\n' "$used") <(printf '%s\n' "$documented"))
[ -z "$gone" ] || fail "in $pod, but nowhere used: $gone"
