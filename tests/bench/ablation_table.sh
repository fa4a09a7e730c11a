#!/bin/sh
# JSON lines of bench_ablation to a Markdown table: means over the seeds, ± half the range where
# there are several.
exec awk '
function field(name,    from, rest) {
    from = index($0, "\"" name "\":")
    rest = substr($0, from + length(name) + 3)
    if (substr(rest, 1, 1) == "\"") {
        return substr(rest, 2, index(substr(rest, 2), "\"") - 1)
    }
    sub(/[,}].*/, "", rest)
    return rest
}
function add(name, what, value) {
    sum[name, what] += value
    if (!((name, what) in least) || value < least[name, what]) least[name, what] = value
    if (!((name, what) in most) || value > most[name, what]) most[name, what] = value
}
function shown(name, what,    half) {
    half = (most[name, what] - least[name, what]) / 2
    return sprintf("%.3f", sum[name, what] / runs[name]) (runs[name] > 1 ? sprintf(" ± %.3f", half) : "")
}
{
    name = field("variant")
    offline = field("mode") == "offline"
    if (!(name in runs)) order[++count] = name
    runs[name]++
    words[name] = index($0, "\"words\"") > 0 ? field("words") : name
    params[name] = field("params")
    add(name, "bits", field(offline ? "validation" : "bits"))
    add(name, "last", field("last_quarter"))
    add(name, "cpu", field("cpu_s_per_mb"))
}
END {
    print "| variant | parameters | " (offline ? "validation |" : "whole pass | last quarter |") \
        " CPU s/MB |"
    print "|---|---|---|" (offline ? "" : "---|") "---|"
    for (i = 1; i <= count; i++) {
        name = order[i]
        printf "| %s | %d | %s |%s %.0f |\n", words[name], params[name], shown(name, "bits"),
            offline ? "" : " " shown(name, "last") " |", sum[name, "cpu"] / runs[name]
    }
}'
