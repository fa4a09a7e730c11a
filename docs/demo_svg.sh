#!/bin/sh
# Draws docs/demo.svg: the last live table of a recorded demo.
#
#   script -qc 'stty cols 110 rows 40; ./bootstrap.sh demo --chaos' demo.typescript
#   docs/demo_svg.sh <demo.typescript >docs/demo.svg
set -eu

# Each frame of the live table goes back over the last one and erases it (ESC [ J). The last table is
# what stands between the last such erasure behind which a table's title comes and the end of it.
awk '
BEGIN { RS = "\033\\[J"; title = "s left|:[0-9][0-9] left" }
$0 ~ title { frame = $0 }
END { print frame }
' | tr -d '\r' | awk '
/\033\[\?7h/ { sub(/\033\[\?7h.*/, ""); ended = 1 }
{
    bold[NR] = index($0, "\033[1m") > 0
    gsub(/\033\[[?0-9;]*[A-Za-z]/, "")
    gsub(/&/, "\\&amp;")
    gsub(/</, "\\&lt;")
    if (!ended || $0 != "") {
        line[++count] = $0
        strong[count] = bold[NR]
        if (length($0) > columns) columns = length($0)
    }
}
ended { exit }
END {
    while (count > 0 && line[count] == "") count--
    width = int(32 + 8.43 * columns + 0.5)
    height = 46 + 19 * (count - 1) + 29
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" ", \
        width, height, width, height
    print "role=\"img\" aria-label=\"chirr up, the live table of six agents\">"
    printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#1b1f27\"/>\n", width, height
    print "<circle cx=\"20\" cy=\"17\" r=\"5\" fill=\"#e0605e\"/>" \
        "<circle cx=\"37\" cy=\"17\" r=\"5\" fill=\"#e5b84f\"/>" \
        "<circle cx=\"54\" cy=\"17\" r=\"5\" fill=\"#6fb86f\"/>"
    print "<g font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'\''DejaVu Sans Mono'\'',monospace\"" \
        " font-size=\"14\" fill=\"#d7dae0\" xml:space=\"preserve\">"
    for (i = 1; i <= count; i++) {
        if (line[i] != "")
            printf "<text x=\"16\" y=\"%d\"%s>%s</text>\n", 27 + 19 * i, \
                strong[i] ? " font-weight=\"700\"" : "", line[i]
    }
    print "</g></svg>"
}
'
