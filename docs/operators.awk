# docs/ONNX.md with its table of operators written anew: awk -f docs/operators.awk LIST docs/ONNX.md, LIST being what
# `mstconv --list ops` prints (make operators).
BEGIN { FS = "  +" }
FNR == NR {
    if (FNR > 1)
        rows = rows sprintf("| %s | %s | %s | %s | %s |\n", $1, $2 == "yes" ? "yes" : "", blank($4), blank($5), blank($6))
    next
}
/^\| operator \| constants \|/ { print; getline; print; printf "%s", rows; skip = 1; next }
skip && /^\|/ { next }
{ skip = 0; print }
function blank(s) { return s == "-" ? "" : s }
