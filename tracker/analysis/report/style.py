"""How the report looks, and the few lines of script that sum up the ticks."""

STYLE = """
:root{color-scheme:light;--ink:#1b2430;--soft:#5b6675;--rule:#d8dee6;--paper:#fff;--tint:#f4f7fa}
*{box-sizing:border-box}
body{margin:0;background:var(--tint);color:var(--ink);
 font:15px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 28px;background:var(--paper)}
h1{font-size:26px;margin:0 0 2px;overflow-wrap:anywhere}
h2{font-size:19px;margin:34px 0 8px;border-top:1px solid var(--rule);padding-top:18px}
h3{font-size:15px;margin:16px 0 4px}p{margin:4px 0 10px}.soft,figcaption,.note{color:var(--soft)}
.cards{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0}
.card{border:1px solid var(--rule);border-radius:8px;padding:10px 16px;min-width:130px;max-width:100%}
.card b{display:block;font-size:28px;line-height:1.2}.card small{display:block;color:var(--soft);max-width:210px}
.warning{border-left:4px solid #d97706;background:#fff8ec;padding:6px 12px}
img,svg{max-width:100%}.scene{width:100%;max-width:820px;height:auto;display:block;border-radius:6px}
.scene .line{fill:none;stroke:#ffdc00}.scene .area{fill:#2a9dff33;stroke:#2a9dff}.scene .out{fill:#8888;stroke:#888}
.scene text{stroke:#000b;paint-order:stroke;stroke-linejoin:round;font-weight:600}
.scene text.line{fill:#ffdc00;stroke:#000b}.scene text.area{fill:#9fd2ff;stroke:#000b}
.chart{width:100%;height:auto;display:block}.chart text{font-size:11px;fill:var(--soft)}.chart .grid{stroke:var(--rule)}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .3em 0 .8em}
.wide{overflow-x:auto}table{border-collapse:collapse;min-width:50%}td,th{white-space:nowrap}
th,td{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid var(--rule);vertical-align:top}
td.number,th.number{text-align:right}table.settings{font-size:12.5px;width:100%}
table.settings td+td{overflow-wrap:anywhere;white-space:normal}
.heat{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px}figure{margin:0}
.heat img{width:100%;border-radius:6px}
.sheet{display:flex;flex-wrap:wrap;gap:10px}.sheet figure{width:92px;font-size:12px;line-height:1.3}
.sheet img{height:132px;width:92px;object-fit:contain;background:#e9edf2;border-radius:4px;display:block}
.proof{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,310px),1fr));gap:12px}
.proof figure{border:1px solid var(--rule);border-radius:8px;padding:8px;break-inside:avoid}
.proof figure.right{border-color:#2e8b57;background:#f1faf4}.proof figure.wrong{border-color:#c0392b;background:#fdf2f0}
.proof img{width:100%;display:block;border-radius:4px}.proof figcaption{font-size:13px;margin:4px 0 2px}
.proof label{margin-right:18px;cursor:pointer;white-space:nowrap}
.proof input{width:17px;height:17px;vertical-align:-3px}
.verdict{border:2px solid var(--ink);border-radius:8px;padding:10px 16px;margin-top:14px;break-inside:avoid}
.verdict output{font-size:19px;font-weight:600;display:block}.verdict div{font-variant-numeric:tabular-nums}
button{font:inherit;padding:5px 12px;margin:8px 8px 0 0;border:1px solid var(--soft);border-radius:6px;background:#fff}
.bad{color:#b45309}.fine{color:#2e7d4f}code{overflow-wrap:anywhere;font-size:.92em}
@media (max-width:600px){main{padding:16px 14px}h1{font-size:21px}.card{flex:1 1 40%}.card b{font-size:23px}}
@page{margin:14mm}
@media print{body,main{background:#fff}main{max-width:none;padding:0}body{font-size:11px}button{display:none}
 h2,h3{break-after:avoid}
 .sheet figure,.heat figure,tr,.card,.line{break-inside:avoid}
 .proof{grid-template-columns:repeat(3,1fr);gap:6px}.heat{grid-template-columns:repeat(3,1fr)}
 .sheet figure{width:70px}.sheet img{width:70px;height:100px}
 .scene{max-width:130mm}.wide{overflow:visible}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
@media screen{.paper{display:none}}
"""

SCRIPT = """
(function(){
var sheet=document.getElementById("proof");if(!sheet)return;
var all=Array.prototype.slice.call(sheet.querySelectorAll("figure")),key="proof "+sheet.dataset.key,kept={};
try{kept=JSON.parse(localStorage.getItem(key))||{}}catch(e){}
function boxes(f){return f.querySelectorAll("input")}
function state(f){var b=boxes(f);return b[0].checked?"right":b[1].checked?"wrong":""}
function set(f,s){boxes(f)[0].checked=s=="right";boxes(f)[1].checked=s=="wrong"}
function sum(list){var r=0,w=0;list.forEach(function(f){var s=state(f);f.className=s;r+=s=="right";w+=s=="wrong"});
 var n=r+w;if(!n)return sheet.dataset.none;
 var p=r/n,z=1.96,d=1+z*z/n,m=(p+z*z/2/n)/d,h=z*Math.sqrt(p*(1-p)/n+z*z/4/n/n)/d;
 function c(x){return (100*x).toFixed(x>=.9995||x<.0005?0:1)}
 return sheet.dataset.some.replace("%p",c(p)).replace("%n",n).replace("%l",c(Math.max(0,m-h)))
 .replace("%h",c(Math.min(1,m+h)))}
function show(){document.getElementById("precision").textContent=sum(all);
 Array.prototype.forEach.call(document.querySelectorAll("[data-line]"),function(e){
  if(e.tagName!="FIGURE")e.lastChild.textContent=sum(all.filter(function(f){return f.dataset.line==e.dataset.line}))});
 var s={};all.forEach(function(f){if(state(f))s[f.id]=state(f)});
 try{localStorage.setItem(key,JSON.stringify(s))}catch(e){}}
all.forEach(function(f){if(kept[f.id])set(f,kept[f.id]);
 Array.prototype.forEach.call(boxes(f),function(b,i){b.addEventListener("change",function(){
  if(b.checked)boxes(f)[1-i].checked=false;show()})})});
document.getElementById("rest").addEventListener("click",function(){all.forEach(function(f){if(!state(f))set(f,"right")});show()});
document.getElementById("clear").addEventListener("click",function(){all.forEach(function(f){set(f,"")});show()});
show()})();
"""
