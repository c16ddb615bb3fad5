/** The page's whole style: light and dark by the reader's setting, and black on white on paper. */
export const STYLE = `
:root { color-scheme: light dark;
  --page:#f6f7f9; --card:#fff; --ink:#1b2430; --dim:#5b6776; --line:#dfe3e8; --soft:#eef1f4;
  --good:#136c3a; --good-bg:#dff3e6; --warn:#8a5200; --warn-bg:#fdf0d5; --bad:#a8201a; --bad-bg:#fbe3e1; --note:#2c4f8a; --note-bg:#e4ecf9; }
@media (prefers-color-scheme: dark) { :root {
  --page:#12161c; --card:#1a2028; --ink:#e3e8ee; --dim:#98a4b3; --line:#2d3641; --soft:#232b35;
  --good:#7fd6a0; --good-bg:#16351f; --warn:#f0bf6b; --warn-bg:#3a2c10; --bad:#ff9d95; --bad-bg:#451c1a; --note:#a3c1f5; --note-bg:#1d2c47; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--page); color:var(--ink); font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif; }
main { max-width:1240px; margin:0 auto; padding:24px 20px 48px; }
h1 { font-size:15px; font-weight:600; color:var(--dim); margin:0 0 10px; }
h2 { font-size:17px; margin:30px 0 10px; }
p { margin:0 0 8px; }
.verdict { border-radius:8px; padding:16px 20px; font-size:20px; font-weight:600; line-height:1.35; overflow-wrap:anywhere; border-left:6px solid; }
.good { color:var(--good); background:var(--good-bg); } .warn { color:var(--warn); background:var(--warn-bg); }
.bad { color:var(--bad); background:var(--bad-bg); } .note { color:var(--note); background:var(--note-bg); } .idle { color:var(--dim); background:var(--soft); }
dl { display:grid; grid-template-columns:repeat(auto-fill,minmax(230px,1fr)); gap:10px 20px; margin:16px 0 0; }
dt { color:var(--dim); font-size:12px; } dd { margin:0; overflow-wrap:anywhere; }
.scroll { overflow-x:auto; background:var(--card); border:1px solid var(--line); border-radius:8px; }
table { border-collapse:collapse; width:100%; }
th { text-align:left; font-size:12px; color:var(--dim); font-weight:600; background:var(--soft); white-space:nowrap; }
th,td { padding:7px 10px; vertical-align:top; border-bottom:1px solid var(--line); }
tbody:last-child tr:last-child > * { border-bottom:0; }
tbody th { background:none; color:inherit; font-size:inherit; white-space:normal; }
td.number,th.number { text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap; }
td.zero { color:var(--dim); }
.wrap { overflow-wrap:anywhere; min-width:210px; } .keep { white-space:nowrap; }
th.wrap { min-width:250px; } .outcome { min-width:130px; overflow-wrap:anywhere; } .platform { min-width:112px; overflow-wrap:anywhere; } .digest { min-width:300px; }
small { display:block; color:var(--dim); font-size:12px; font-weight:400; }
code { font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; }
.badge { display:inline-block; border-radius:10px; padding:1px 9px; font-size:12px; font-weight:600; white-space:nowrap; }
code.copy { user-select:all; overflow-wrap:anywhere; word-break:break-all; }
.good-ink { color:var(--good); background:none; } .warn-ink { color:var(--warn); } .bad-ink { color:var(--bad); } .note-ink { color:var(--note); } .idle-ink { color:var(--dim); }
h3 { font-size:14px; margin:16px 0 6px; }
button,input,select { font:inherit; color:inherit; background:var(--card); border:1px solid var(--dim); border-radius:6px; padding:3px 8px; }
button.copier { font-size:11px; padding:0 6px; margin-left:6px; color:var(--dim); }
th button { font:inherit; color:inherit; background:none; border:0; padding:0; cursor:pointer; text-align:inherit; }
th[aria-sort=ascending] button::after { content:" ▲"; } th[aria-sort=descending] button::after { content:" ▼"; }
.tools { display:flex; flex-wrap:wrap; gap:8px 16px; align-items:center; margin:0 0 10px; } .tools[hidden],[hidden] { display:none; }
.tools input { width:260px; max-width:60vw; } .tools span { color:var(--dim); }
details { background:var(--card); border:1px solid var(--line); border-radius:8px; margin:0 0 6px; }
summary { cursor:pointer; padding:8px 12px; overflow-wrap:anywhere; } summary > span:not(.badge) { color:var(--dim); }
details > p { margin:8px 12px; } details .scroll { border-width:1px 0 0; border-radius:0 0 8px 8px; max-height:70vh; overflow:auto; }
details > pre { margin:8px 12px; font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; white-space:pre-wrap; overflow-wrap:anywhere; }
details td,details tbody th { overflow-wrap:anywhere; min-width:80px; padding:4px 10px; }
details td:first-child,details tbody th { white-space:nowrap; } details td:last-child { min-width:115px; }
details thead th { position:sticky; top:0; } tr.out > * { color:var(--dim); }
.scroll + .scroll { margin-top:10px; }
a { color:var(--note); } :focus-visible { outline:2px solid currentColor; outline-offset:2px; }
footer { margin-top:32px; color:var(--dim); font-size:12px; }
@media screen and (max-width:640px) { main { padding:16px 12px 32px; }
  .stacks thead { position:absolute; clip-path:inset(50%); } .stacks,.stacks tbody,.stacks tr,.stacks th,.stacks td { display:block; width:auto; min-width:0; }
  .stacks tr { border-bottom:1px solid var(--line); padding:6px 0; } .stacks th,.stacks td { border:0; padding:2px 10px; }
  .stacks .digest + .digest::before { content:"target "; color:var(--dim); font-size:12px; } .stacks td.digest:not(:empty):not(.digest + .digest)::before { content:"source "; color:var(--dim); font-size:12px; } }
@media print { @page { size:A4 landscape; margin:12mm; }
  :root { color-scheme:light; --page:#fff; --card:#fff; --ink:#000; --dim:#444; --line:#bbb; --soft:#f0f0f0;
    --good:#0d5a2e; --good-bg:#fff; --warn:#6d4100; --warn-bg:#fff; --bad:#8c1510; --bad-bg:#fff; --note:#1d3a6b; --note-bg:#fff; }
  body { font-size:10px; } main { max-width:none; padding:0; } .scroll { overflow:visible; border-radius:0; }
  .verdict { border:1px solid; border-left-width:6px; font-size:15px; } .badge { border:1px solid; padding:0 6px; font-size:9px; }
  small,th,footer,dt { font-size:9px; } code { font-size:8px; } th,td { padding:3px 5px; } .wrap,.outcome,.platform,.digest { min-width:0; } th.wrap { min-width:38mm; }
  .tools,.copier { display:none; } details::details-content { content-visibility:visible; display:block; } details .scroll { max-height:none; }
  details { border:0; margin:0 0 10px; } summary { padding:0 0 4px; list-style:none; } a { color:inherit; }
  code { overflow-wrap:anywhere; } .scroll table { table-layout:auto; }
  thead { display:table-header-group; } tr { break-inside:avoid; } h2 { break-after:avoid; } }
`;
