# SPDX-License-Identifier: LGPL-2.1-or-later
# Lines "row variant wall user sys rss", "library-verify bytes N" and
# "library-million-* what seconds rows" to a table and JSON.

function median(key, n,   i, j, t, a) {
    for (i = 1; i <= n; i++) a[i] = wall[key, i]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && a[j - 1] > a[j]; j--) {
            t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
        }
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}
function verdict(row, label, ratio, bar) {
    printf "  %-34s %6.2f  bar %-5s %s\n", label, ratio, bar, ratio <= bar ? "ok" : "MISSED"
    verdicts = verdicts sprintf("%s\n    {\"row\": \"%s\", \"what\": \"%s\", \"ratio\": %.3f, \"bar\": %s, \"ok\": %s}",
        nverdicts++ ? "," : "", row, label, ratio, bar, ratio <= bar ? "true" : "false")
}

$1 == "library-verify" && $2 == "bytes" { bytes = $3; next }
/^library-million/ {
    if (!($1 in million)) { million[$1] = 1; order[++nmillion] = $1 }
    if ($2 == "many") next
    if (!($2 in iswhat)) { iswhat[$2] = 1; what[++nwhat] = $2 }
    seconds[$1, $2] = $3; rows[$1, $2] = $4
    next
}
{
    if (!($1 in seen)) { seen[$1] = 1; list[++nlist] = $1; other[$1] = "sqlite3" }
    if ($2 == "sha256sum") other[$1] = $2
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
            printf "  %-14s %8.3f %8.1f", v[k], m[k], rss[row, v[k]] / 1024
            if (row == "library-verify") printf "   %.0f MB/s", bytes / m[k] / 1e6
            printf "\n"
            runs = runs sprintf("%s\n    {\"row\": \"%s\", \"tool\": \"%s\", \"median_s\": %.4f, \"peak_kib\": %d}",
                nruns++ ? "," : "", row, v[k], m[k], rss[row, v[k]])
        }
        verdict(row, "ours / " other[row], m[1] / m[2], row == "library-verify" ? 1 : 2)
    }
    if (nmillion) {
        printf "\nlibrary-million: seconds of one (rows)\n  %-22s", ""
        for (r = 1; r <= nmillion; r++) printf " %26s", order[r]
        printf "\n"
        for (w = 1; w <= nwhat; w++) {
            printf "  %-22s", what[w]
            for (r = 1; r <= nmillion; r++)
                printf " %15s %10s", seconds[order[r], what[w]], "(" rows[order[r], what[w]] ")"
            printf "\n"
            for (r = 1; r <= nmillion; r++)
                runs = runs sprintf("%s\n    {\"row\": \"%s\", \"what\": \"%s\", \"seconds\": %s, \"rows\": %s}",
                    nruns++ ? "," : "", order[r], what[w], seconds[order[r], what[w]], rows[order[r], what[w]])
        }
    }
    printf "{\n  \"cpus\": %d,\n  \"runs\": [%s\n  ],\n  \"verdicts\": [%s\n  ]\n}\n", cpus, runs, verdicts > json
}
