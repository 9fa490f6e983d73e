/* How reports look: system fonts, one column on a phone, two charts side by side where there is room, light and dark.
 * Colours are those of Okabe and Ito (2008), which people with any colour vision tell apart; lighter ones on dark.
 */
#ifndef MST_HTML_STYLE_H
#define MST_HTML_STYLE_H

#define MST_HTML_DARK \
    "--bg:#14171a;--card:#1b1f23;--ink:#e6e8ea;--soft:#a3abb3;--line:#343b42;--grid:#2a3036;" \
    "--c0:#56b4e9;--c1:#e8853d;--c2:#2bb98f;--c3:#e0a0c6;--c4:#f0c04a;--c5:#8a97a4;--heat:#56b4e9;" \
    "--good:#2bb98f;--bad:#e8853d}\n"

static const char *const mst_html_style[] = {
    ":root{color-scheme:light "
    "dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2126;--soft:#59626b;--line:#d9dcdf;--grid:#e9ebed;",
    "--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#e69f00;--c5:#7d8790;--heat:#0072b2;",
    "--good:#00765a;--bad:#b44a00}\n",
    "@media (prefers-color-scheme:dark){:root{" MST_HTML_DARK "}\n",
    "*{box-sizing:border-box}\n",
    "body{margin:0 auto;max-width:66rem;padding:1.5rem 1.25rem 3rem;background:var(--bg);color:var(--ink);",
    "font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;",
    "overflow-wrap:break-word}\n",
    ".kind{margin:0;color:var(--soft);font-size:.85rem;letter-spacing:.02em}\n",
    "h1{font-size:1.65rem;line-height:1.2;margin:.15rem 0 1rem;font-weight:650;letter-spacing:-.01em}\n",
    "h2{font-size:1.15rem;line-height:1.3;margin:0 0 .6rem;font-weight:650}\n",
    "section{margin:2.4rem 0 0;padding-top:1.3rem;border-top:1px solid var(--line)}\n",
    "section:first-of-type{border:0;margin-top:0;padding-top:0}\n",
    "p{margin:.5rem 0;max-width:46rem}p.lead{font-size:1.06rem}\n",
    ".soft,figcaption small,.note{color:var(--soft)}.note{font-size:.88rem}\n",
    ".warn{border-left:3px solid var(--c1);padding:.1rem 0 .1rem .8rem}\n",
    "dl.key{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem;margin:1rem 0}\n",
    "dl.key div{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem}\n",
    "dl.key dt{color:var(--soft);font-size:.8rem}\n",
    "dl.key dd{margin:0;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums;line-height:1.35}\n",
    "dl.key dd small{display:block;font-size:.8rem;font-weight:400;color:var(--soft)}\n",
    "dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:.8rem "
    "0;font-size:.92rem}\n",
    "dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;min-width:0;overflow-wrap:anywhere}\n",
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1.4rem 2rem;",
    "align-items:start}\n",
    "figure{margin:.8rem 0 0;min-width:0}\n",
    "figcaption{font-weight:600;font-size:.95rem;line-height:1.35;margin-bottom:.3rem}\n",
    "figcaption small{display:block;font-weight:400;font-size:.84rem}\n",
    "svg{display:block;width:100%;height:auto;max-width:34rem;font:12px system-ui,-apple-system,'Segoe UI',Roboto,",
    "'Helvetica Neue',Arial,sans-serif;font-variant-numeric:tabular-nums}\n",
    "svg text{fill:var(--ink)}svg .t{fill:var(--soft);font-size:11px}svg .s{font-size:10.5px}\n",
    "svg .grid{stroke:var(--grid)}svg .axis{stroke:var(--soft)}\n",
    "svg .ref{stroke:var(--ink);stroke-dasharray:5 4;fill:none}\n",
    "svg .l0{stroke:var(--c0)}svg .l1{stroke:var(--c1)}svg .l2{stroke:var(--c2)}svg .l3{stroke:var(--c3)}\n",
    "svg .line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}\n",
    "svg .whisker{stroke-width:1.2;fill:none}\n",
    "svg .f0{fill:var(--c0)}svg .f1{fill:var(--c1)}svg .f2{fill:var(--c2)}svg .f3{fill:var(--c3)}\n",
    "svg .f4{fill:var(--c4)}svg .f5{fill:var(--c5)}svg .k{fill:var(--ink)}\n",
    "svg .pale{opacity:.45}svg .heat{fill:var(--heat)}svg .box{fill:none;stroke:var(--line)}\n",
    "svg .tick{stroke:var(--ink);stroke-width:1.4}svg .onheat{fill:var(--bg)}\n",
    "details{margin:.5rem 0 0;font-size:.9rem}\n",
    "summary{cursor:pointer;color:var(--soft)}summary:focus-visible,.scroll:focus-visible,a:focus-visible{",
    "outline:2px solid var(--c0);outline-offset:2px}\n",
    ".scroll{overflow-x:auto;max-width:100%;margin:.5rem 0}\n",
    "table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;line-height:1.35}\n",
    "th,td{padding:.28rem .7rem;text-align:left;white-space:nowrap;border-bottom:1px solid "
    "var(--grid);font-weight:400}\n",
    "thead th{color:var(--soft);vertical-align:bottom;border-bottom:1px solid var(--line)}\n",
    "th:first-child,td:first-child{padding-left:0}.n{text-align:right}\n",
    "ul.flips{list-style:none;margin:1rem 0;padding:0;display:grid;",
    "grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:1rem}\n",
    "ul.flips li{background:var(--card);border:1px solid "
    "var(--line);border-radius:6px;padding:.7rem;font-size:.88rem}\n",
    "ul.flips .row{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem;margin-top:.5rem}\n",
    "ul.flips .row.one{grid-template-columns:minmax(0,12rem)}ul.flips .row.one figure.wide{grid-column:1/-1}\n",
    "ul.flips figure{margin:0}ul.flips figcaption{font-weight:400;font-size:.78rem;color:var(--soft);margin:.2rem 0 "
    "0}\n",
    "img{display:block;width:100%;height:auto;image-rendering:pixelated;border-radius:3px}\n",
    ".good{color:var(--good)}.bad{color:var(--bad)}\n",
    "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;margin:0 0 "
    "1.4rem;font-size:.9rem}\n",
    "a{color:var(--c0)}\n",
    "footer{margin-top:2.6rem;padding-top:1rem;border-top:1px solid "
    "var(--line);font-size:.85rem;color:var(--soft)}\n",
    "code{font:.86em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}\n",
    "@media (max-width:30rem){body{padding:1rem 1rem 2rem}dl.facts{grid-template-columns:1fr;gap:0}",
    "dl.facts dd{margin-bottom:.45rem}dl.key{grid-template-columns:1fr 1fr}}\n",
    "@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--grid:#e4e4e4;--c0:#0072b2;",
    "--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#e69f00;--c5:#7d8790;--heat:#0072b2;--good:#00765a;--bad:#b44a00}",
    "body{max-width:none;font-size:10.5pt;padding:0}figure,ul.flips li,dl.key "
    "div{break-inside:avoid}h2{break-after:avoid}",
    "section>p{break-after:avoid;break-inside:avoid}section>.charts{display:block;break-before:avoid}",
    "figcaption{break-after:avoid}",
    "nav,summary{display:none}.scroll{overflow:visible}svg{max-width:15cm}",
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n",
};

#endif
