# SPDX-License-Identifier: LGPL-2.1-or-later
# Lines "row variant step seconds" (and "row variant bytes N") to a table and
# JSON: medians, the bar of each row and whether it is met.

function median(key, n,   i, j, t, a) {
    for (i = 1; i <= n; i++) a[i] = value[key, i]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && a[j - 1] > a[j]; j--) {
            t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
        }
    return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}
function of(row, variant, step,   key) {
    key = row SUBSEP variant SUBSEP step
    return key in count ? median(key, count[key]) : 0
}
function verdict(row, label, ratio, bar, ok) {
    printf "  %-40s %6.2f  bar %-5s %s\n", label, ratio, bar, ok ? "ok" : "MISSED"
    verdicts = verdicts sprintf("%s\n    {\"row\": \"%s\", \"what\": \"%s\", \"ratio\": %.3f, \"bar\": %s, \"ok\": %s}",
        nverdicts++ ? "," : "", row, label, ratio, bar, ok ? "true" : "false")
}
function table(row, bar,   i, v, t, ratio) {
    printf "\n%s\n  %-10s", row, ""
    for (i = 1; i <= nsteps; i++) printf " %10s", steps[i]
    printf " %10s\n", "initramfs"
    for (v = 1; v <= 2; v++) {
        printf "  %-10s", variants[v]
        for (i = 1; i <= nsteps; i++) {
            t = of(row, variants[v], steps[i])
            printf " %10.1f", t
            runs = runs sprintf("%s\n    {\"row\": \"%s\", \"tool\": \"%s\", \"step\": \"%s\", \"seconds\": %.2f}",
                nruns++ ? "," : "", row, variants[v], steps[i], t)
        }
        printf " %10s\n", (of(row, variants[v], "initramfs") > 0 ? "rebuilt" : "kept")
    }
    ratio = of(row, "ours", "wall") / of(row, "virt-v2v", "wall")
    verdict(row, "ours / virt-v2v", ratio, bar, ratio <= bar)
}

{
    key = $1 SUBSEP $2 SUBSEP $3
    value[key, ++count[key]] = $4
    seen[$1]
}

END {
    nsteps = split("wall source start inspection changes initramfs trim copy end", steps, " ")
    split("ours virt-v2v", variants, " ")
    if ("guest-kept" in seen) table("guest-kept", 0.25)
    if ("guest-rebuilt" in seen) table("guest-rebuilt", 0.5)
    if ("guest-deleted" in seen) {
        saved = (of("guest-deleted", "no-guest", "bytes") - of("guest-deleted", "ours", "bytes")) / 1073741824
        printf "\nguest-deleted\n"
        verdict("guest-deleted", "GiB saved of 1 GiB deleted", saved, 0.95, saved >= 0.95)
    }
    printf "{\n  \"steps\": [%s\n  ],\n  \"verdicts\": [%s\n  ]\n}\n", runs, verdicts > json
}
