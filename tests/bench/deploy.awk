# SPDX-License-Identifier: LGPL-2.1-or-later
# Lines "row variant wall user sys rss" and "deploy-100 kib N" to a table and
# JSON.

function median(key, n,   i, j, t, a) {
    for (i = 1; i <= n; i++) a[i] = wall[key, i]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && a[j - 1] > a[j]; j--) {
            t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
        }
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}
function verdict(row, label, value, bar, ok) {
    printf "  %-34s %6.2f  bar %-5s %s\n", label, value, bar, ok ? "ok" : "MISSED"
    verdicts = verdicts sprintf("%s\n    {\"row\": \"%s\", \"what\": \"%s\", \"ratio\": %.3f, \"bar\": %s, \"ok\": %s}",
        nverdicts++ ? "," : "", row, label, value, bar, ok ? "true" : "false")
}

$2 == "kib" { if ($3 > kib) kib = $3; next }
{
    if (!($1 in other)) { list[++nlist] = $1; other[$1] = $1 == "deploy-100" ? "floor" : "cp" }
    wall[$1, $2, ++count[$1, $2]] = $3
    if ($6 > rss[$1, $2]) rss[$1, $2] = $6
}

END {
    for (i = 1; i <= nlist; i++) {
        row = list[i]
        printf "\n%s\n  %-14s %8s %8s\n", row, "", "median", "peak MiB"
        split("ours " other[row], v, " ")
        for (k = 1; k <= 2; k++) {
            m[k] = median(row SUBSEP v[k], count[row, v[k]])
            printf "  %-14s %8.2f %8.1f\n", v[k], m[k], rss[row, v[k]] / 1024
            runs = runs sprintf("%s\n    {\"row\": \"%s\", \"tool\": \"%s\", \"median_s\": %.3f, \"peak_kib\": %d}",
                nruns++ ? "," : "", row, v[k], m[k], rss[row, v[k]])
        }
        bar = row == "deploy-100" ? 3 : 5
        verdict(row, "ours / " other[row], m[1] / m[2], bar, m[1] / m[2] <= bar)
        if (row == "deploy-100")
            verdict(row, "blocks of a machine, MiB", kib / 100 / 1024, 1, kib / 100 < 1024)
    }
    printf "{\n  \"runs\": [%s\n  ],\n  \"verdicts\": [%s\n  ]\n}\n", runs, verdicts > json
}
