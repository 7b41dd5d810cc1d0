# SPDX-License-Identifier: LGPL-2.1-or-later
# Lines "row variant wall user sys rss length blocks" to a table and JSON:
# medians, the bar of each row and whether it is met.

function median(key, n,   i, j, t, a) {
    for (i = 1; i <= n; i++) a[i] = wall[key, i]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && a[j - 1] > a[j]; j--) {
            t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
        }
    lo[key] = a[1]; hi[key] = a[n]
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}

function has(row, variant) { return (row, variant) in count }

# A ratio against its bar; OR is a second way to pass (empty: none).
function verdict(label, ratio, bar, alt, altbar,   ok) {
    ok = ratio >= bar || (alt != "" && alt <= altbar)
    printf "  %-34s %6.2f  bar %-5s %s%s\n", label, ratio, bar, ok ? "ok" : "MISSED",
        alt != "" ? sprintf(" (%.2f of the floor, bar %s)", alt, altbar) : ""
    out = out sprintf("%s\n    {\"row\": \"%s\", \"what\": \"%s\", \"ratio\": %.3f, \"bar\": %s, \"ok\": %s}",
        nverdicts++ ? "," : "", current, label, ratio, bar, ok ? "true" : "false")
}

function floor_verdict(label, ratio, bar) {
    printf "  %-34s %6.2f  bar %-5s %s\n", label, ratio, bar, ratio <= bar ? "ok" : "MISSED"
    out = out sprintf("%s\n    {\"row\": \"%s\", \"what\": \"%s\", \"ratio\": %.3f, \"bar\": %s, \"ok\": %s}",
        nverdicts++ ? "," : "", current, label, ratio, bar, ratio <= bar ? "true" : "false")
}

function judge(row,   best, v, o, d, f, bar, dbar, len) {
    current = row
    best = 1e9
    for (v in qemus)
        if (has(row, v) && m[row, v] < best) { best = m[row, v]; bestv = v }
    o = m[row, "ours"]; d = m[row, "ours-digest"]; f = m[row, "floor"]
    if (has(row, "cp")) {
        verdict("cp --reflink=never / ours", m[row, "cp"] / o, 20, "", "")
        return
    }
    if (row ~ /^reflink/) return
    if (row ~ /^stream/) {
        bar = row ~ /cold/ ? 4.5 : 6; dbar = row ~ /cold/ ? 3.5 : 4.5
        verdict("qemu-img / ours", best / o, bar, "", "")
        verdict("qemu-img / ours with digest", best / d, dbar, "", "")
        floor_verdict("ours / floor", o / f, 1.2)
    }
    else
        verdict("qemu-img / ours", best / o, row ~ /^flat/ ? 1.6 : 2.5, o / f, 1.15)
    printf "  %-34s %6.2f  (the cost of the digest)\n", "ours with digest / ours", d / o
    len = length_of[row, "ours"] / length_of[row, bestv]
    floor_verdict("file length, ours / qemu-img", len, 1)
    floor_verdict("peak memory, MiB", rss[row, "ours-digest"] / 1024, 128)
}

{
    key = $1 SUBSEP $2
    if (!(($1, $2) in count)) { order[++nkeys] = key }
    if (!($1 in seen)) { seen[$1] = 1; rowlist[++nrows] = $1 }
    wall[key, ++count[$1, $2]] = $3
    cpu[$1, $2] += $4 + $5
    if ($6 > rss[$1, $2]) rss[$1, $2] = $6
    length_of[$1, $2] = $7
    blocks_of[$1, $2] = $8
}

END {
    qemus["qemu"]; qemus["qemu-W"]; qemus["qemu-none"]
    for (i = 1; i <= nkeys; i++) m[order[i]] = median(order[i], count[order[i]])
    printf "disk of %d MiB, %d MiB of data, %d rounds, %d CPUs\n", size, data, rounds, cpus
    printf "{\n  \"disk_mib\": %d,\n  \"data_mib\": %d,\n  \"rounds\": %d,\n  \"cpus\": %d,\n  \"runs\": [", size, data, rounds, cpus > json
    for (r = 1; r <= nrows; r++) {
        row = rowlist[r]
        printf "\n%s\n  %-14s %8s %15s %8s %8s %10s %10s\n", row, "", "median", "spread", "CPU s", "peak MiB", "length MiB", "alloc MiB"
        for (i = 1; i <= nkeys; i++) {
            split(order[i], k, SUBSEP)
            if (k[1] != row) continue
            printf "  %-14s %8.2f %7.2f-%-7.2f %8.2f %8.1f %10d %10d\n", k[2], m[order[i]], lo[order[i]], hi[order[i]], cpu[k[1], k[2]] / count[k[1], k[2]], rss[k[1], k[2]] / 1024, length_of[k[1], k[2]] / 1048576, blocks_of[k[1], k[2]] / 2048
            printf "%s\n    {\"row\": \"%s\", \"tool\": \"%s\", \"median_s\": %.3f, \"min_s\": %.3f, \"max_s\": %.3f, \"cpu_s\": %.3f, \"peak_kib\": %d, \"length\": %.0f, \"allocated\": %.0f}", nruns++ ? "," : "", k[1], k[2], m[order[i]], lo[order[i]], hi[order[i]], cpu[k[1], k[2]] / count[k[1], k[2]], rss[k[1], k[2]], length_of[k[1], k[2]], blocks_of[k[1], k[2]] * 512 > json
        }
        judge(row)
    }
    printf "\n  ],\n  \"verdicts\": [%s\n  ]\n}\n", out > json
}
