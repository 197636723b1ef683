/**
 * How the element looks. One constructable sheet shared by all instances: strict Content-Security-Policies allow it.
 *
 * Custom properties, all optional: --dh-accent, --dh-on-accent, --dh-surface, --dh-text, --dh-muted, --dh-line,
 * --dh-danger, --dh-listening, --dh-thinking, --dh-speaking, --dh-radius, --dh-font, --dh-max-width.
 * Parts: stage, video, poster, mark, status, captions, notice, start, dock, button, composer, input, send, launcher, panel.
 */

const STYLE = `
:host {
  --accent: var(--dh-accent, light-dark(#17695f, #6fd0bf));
  --on-accent: var(--dh-on-accent, light-dark(#ffffff, #06231f));
  --surface: var(--dh-surface, light-dark(#fffdfa, #18201e));
  --text: var(--dh-text, light-dark(#1b2422, #eef3f1));
  --muted: var(--dh-muted, light-dark(#56625f, #a3b1ac));
  --line: var(--dh-line, light-dark(#00000017, #ffffff1f));
  --danger: var(--dh-danger, light-dark(#b3372a, #ff9a8a));
  --listening: var(--dh-listening, #2fb7a3);
  --thinking: var(--dh-thinking, #e0a63a);
  --speaking: var(--dh-speaking, #f07a5d);
  --radius: var(--dh-radius, 28px);
  --level: 0;
  display: block;
  width: 100%;
  max-width: var(--dh-max-width, 640px);
  color: var(--text);
  font: 400 16px/1.45 var(--dh-font, ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif);
}
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
button, input { font: inherit; color: inherit; }
button { cursor: pointer; border: 0; background: none; padding: 0; }
svg { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; flex: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
.sr { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: pre-line; }

.panel { display: flex; flex-direction: column; gap: 14px; height: 100%; }
.frame { position: relative; border-radius: var(--radius); }
.stage { position: relative; overflow: hidden; aspect-ratio: 1; border-radius: inherit; background: light-dark(#d9d4cc, #222b29); isolation: isolate; }
.stage video, .stage img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; }
video { opacity: 0; transition: opacity .35s; }
.live video { opacity: 1; }
.connecting img { animation: breathe 2.4s ease-in-out infinite; }

/* The ring tells the state by colour and by movement; the status line tells it in words. */
.ring { position: absolute; inset: -5px; border-radius: calc(var(--radius) + 5px); pointer-events: none; opacity: 0; transition: opacity .3s; }
.ring::before { content: ""; position: absolute; inset: 0; border-radius: inherit; padding: 3px; background: var(--ring, transparent); mask: linear-gradient(#000 0 0) content-box exclude, linear-gradient(#000 0 0); transition: background .3s; }
.listening .ring, .thinking .ring, .speaking .ring { opacity: 1; }
.listening .ring { --ring: var(--listening); box-shadow: 0 0 calc(6px + var(--level) * 42px) calc(var(--level) * 6px) color-mix(in srgb, var(--listening) 60%, transparent); transition: opacity .3s, box-shadow .09s linear; }
.thinking .ring { --ring: conic-gradient(from var(--dh-turn), transparent 0 35%, var(--thinking) 80%, transparent); animation: turn 1.5s linear infinite; }
.speaking .ring { --ring: var(--speaking); animation: speak 1.7s ease-in-out infinite; }
@keyframes turn { to { --dh-turn: 360deg; } }
@keyframes speak { 0%, 100% { box-shadow: 0 0 12px 0 color-mix(in srgb, var(--speaking) 45%, transparent); } 50% { box-shadow: 0 0 30px 4px color-mix(in srgb, var(--speaking) 55%, transparent); } }
@keyframes breathe { 50% { filter: brightness(1.05) saturate(1.06); transform: scale(1.012); } }

.bar { position: absolute; inset: 14px 14px auto; display: flex; gap: 8px; align-items: center; z-index: 2; }
.chip { display: inline-flex; align-items: center; gap: 8px; min-height: 30px; padding: 0 12px; border-radius: 99px; font-size: 13.5px; font-weight: 550; color: #fff; background: rgb(18 24 22 / .66); backdrop-filter: blur(10px); }
.mark { letter-spacing: .06em; font-weight: 700; }
.dot { width: 8px; height: 8px; border-radius: 50%; background: #9fb0aa; flex: none; }
.listening .dot { background: var(--listening); } .thinking .dot { background: var(--thinking); } .speaking .dot { background: var(--speaking); }
.connecting .dot { background: var(--thinking); animation: blink 1s ease-in-out infinite alternate; }
@keyframes blink { to { opacity: .25; } }

/* Captions end above the lowest eighth: the mark that is part of the picture stays visible. They grow word by word, so
   their left edge stands still. */
.captions { position: absolute; inset: auto 5% 12.5%; z-index: 2; display: flex; pointer-events: none; }
.captions p { margin: 0; padding: 7px 16px; border-radius: 14px; color: #fff; background: rgb(14 19 18 / .76); font-size: clamp(15px, 3cqi, 20px); line-height: 1.4; }
.captions span { display: flex; flex-direction: column; justify-content: flex-end; max-height: 2.8em; overflow: hidden; overflow-wrap: anywhere; }
.captions p.mine { color: #dfe8e5; background: rgb(14 19 18 / .55); font-style: italic; }
.stage { container-type: inline-size; }

.cover { position: absolute; inset: 0; z-index: 3; display: flex; flex-direction: column; align-items: center; justify-content: flex-end; gap: 4px; padding: 14px; background: linear-gradient(to top, rgb(12 18 16 / .74), rgb(12 18 16 / .32) 24%, transparent 46%); transition: opacity .3s; }
.start { display: inline-flex; align-items: center; justify-content: center; gap: 10px; min-height: 60px; padding: 0 30px 0 8px; border-radius: 99px; background: #fff; color: #15211e; font-size: 18px; font-weight: 620; box-shadow: 0 12px 36px rgb(0 0 0 / .34); transition: transform .15s, box-shadow .15s; }
.start svg { width: 44px; height: 44px; padding: 11px; border-radius: 50%; background: var(--dh-accent, #17695f); color: var(--dh-on-accent, #fff); }
.start:hover { transform: translateY(-2px); box-shadow: 0 16px 44px rgb(0 0 0 / .4); } .start:active { transform: none; }
.start:focus-visible, .link:focus-visible, .sound:focus-visible { outline-color: #fff; }
.link { min-height: 44px; padding: 0 16px; border-radius: 99px; color: #fff; font-size: .94em; font-weight: 500; text-decoration: underline; text-underline-offset: 4px; text-decoration-color: rgb(255 255 255 / .5); text-shadow: 0 1px 4px rgb(0 0 0 / .5); }
.sound { position: absolute; z-index: 3; top: 50%; left: 50%; translate: -50% -50%; display: inline-flex; align-items: center; gap: 8px; min-height: 48px; padding: 0 22px; border-radius: 99px; background: rgb(18 24 22 / .82); color: #fff; font-weight: 600; }

.notice { display: flex; align-items: center; gap: 10px; padding: 8px 8px 8px 16px; border-radius: 16px; background: var(--surface); border: 1px solid var(--line); font-size: .91em; }
.notice.error { border-color: color-mix(in srgb, var(--danger) 45%, transparent); }
.notice.error::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: var(--danger); flex: none; }
.notice p { margin: 0; flex: 1; }
.notice button { min-width: 44px; min-height: 44px; padding: 0 12px; border-radius: 12px; font-weight: 600; color: var(--accent); }
.notice button svg { width: 18px; height: 18px; vertical-align: middle; }

.dock { display: flex; justify-content: center; gap: 12px; align-items: center; min-height: 56px; }
.button { display: inline-grid; place-items: center; width: 52px; height: 52px; border-radius: 50%; background: var(--surface); border: 1px solid var(--line); color: var(--text); box-shadow: 0 2px 8px rgb(0 0 0 / .06); transition: background .15s, color .15s, transform .15s; }
.button:hover { transform: translateY(-1px); }
.button[aria-pressed="true"] { background: color-mix(in srgb, var(--accent) 15%, var(--surface)); color: var(--accent); border-color: color-mix(in srgb, var(--accent) 35%, transparent); }
.button:disabled { opacity: .38; cursor: default; transform: none; }
.microphone { width: 64px; height: 64px; background: var(--accent); color: var(--on-accent); border-color: transparent; }
.microphone svg { width: 26px; height: 26px; }
.microphone.off { background: var(--surface); color: var(--danger); border-color: color-mix(in srgb, var(--danger) 45%, transparent); }
.end { color: var(--danger); }

.composer { display: flex; gap: 8px; padding: 6px; border-radius: 99px; background: var(--surface); border: 1px solid var(--line); box-shadow: 0 2px 8px rgb(0 0 0 / .05); }
.composer:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px color-mix(in srgb, var(--accent) 25%, transparent); }
.composer input { flex: 1; min-width: 0; min-height: 44px; border: 0; background: none; padding: 0 14px; outline: none; }
.composer input::placeholder { color: var(--muted); opacity: 1; }
.composer button { width: 44px; height: 44px; display: grid; place-items: center; border-radius: 50%; background: var(--accent); color: var(--on-accent); }
.composer button:disabled { opacity: .4; cursor: default; }

.launcher { display: none; }
.fold { display: none; }
:host([mode="floating"]) { position: fixed; inset: auto max(20px, env(safe-area-inset-right)) max(20px, env(safe-area-inset-bottom)) auto; width: min(380px, calc(100vw - 32px)); z-index: 2147483000; pointer-events: none; }
:host([mode="floating"]) .panel { padding: 14px; border-radius: calc(var(--radius) + 10px); background: light-dark(#f4f1ec, #0f1413); box-shadow: 0 24px 70px rgb(0 0 0 / .32); pointer-events: auto; height: auto; max-height: calc(100dvh - 40px); overflow: auto; scrollbar-width: thin; }
:host([mode="floating"]) .launcher { display: inline-flex; align-items: center; gap: 12px; margin-left: auto; min-height: 64px; padding: 6px 24px 6px 6px; border-radius: 99px; background: var(--accent); color: var(--on-accent); font-weight: 620; box-shadow: 0 12px 34px rgb(0 0 0 / .28); pointer-events: auto; }
:host([mode="floating"]) .launcher img { width: 52px; height: 52px; border-radius: 50%; object-fit: cover; }
:host([mode="floating"]) .launcher img:not([src]) { display: none; }
:host([mode="floating"]) .fold { display: inline-grid; place-items: center; width: 44px; height: 44px; margin-left: auto; border-radius: 50%; color: #fff; background: rgb(18 24 22 / .66); backdrop-filter: blur(10px); }
:host([mode="floating"]) .start { min-height: 54px; }

:host([mode="kiosk"]) { --kiosk: min(94vmin, 100%, calc(100dvh - 34vmin)); max-width: none; height: 100dvh; background: light-dark(#f4f1ec, #0b100f); font-size: 22px; }
:host([mode="kiosk"]) .panel { align-items: center; justify-content: center; padding: 3vmin; gap: 2.5vmin; }
:host([mode="kiosk"]) .frame { --radius: 40px; border-radius: 40px; width: var(--kiosk); }
:host([mode="kiosk"]) .start { min-height: 104px; padding: 0 52px 0 14px; font-size: 32px; } :host([mode="kiosk"]) .start svg { width: 76px; height: 76px; padding: 18px; }
:host([mode="kiosk"]) .button { width: 76px; height: 76px; } :host([mode="kiosk"]) .microphone { width: 96px; height: 96px; }
:host([mode="kiosk"]) svg { width: 34px; height: 34px; }
:host([mode="kiosk"]) .captions p { font-size: clamp(22px, 4cqi, 40px); border-radius: 20px; }
:host([mode="kiosk"]) :is(.composer, .notice) { width: var(--kiosk); min-width: min(100%, 720px); } :host([mode="kiosk"]) .chip { font-size: 20px; min-height: 44px; padding: 0 18px; }

@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; }
  .listening .ring { box-shadow: none; }
  .thinking .ring { --ring: var(--thinking); }
}
@media (forced-colors: active) { .button, .start, .composer, .chip, .captions p { border: 1px solid; } }
`;

/** @type {CSSStyleSheet | null} */
let shared = null;

/** @returns {CSSStyleSheet} */
export function sheet() {
  if (!shared) {
    shared = new CSSStyleSheet();
    try {
      // An angle that can be animated; @property is not heard inside a shadow tree.
      CSS.registerProperty({ name: '--dh-turn', syntax: '<angle>', inherits: true, initialValue: '0deg' });
    } catch {
      // registered already by another copy of this module
    }
    shared.replaceSync(STYLE);
  }
  return shared;
}
