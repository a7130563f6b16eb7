// Tries the pages in a real browser, against a server that has just lived through the demo.
// node pages.mjs BASE CREDENTIAL OUT: prints a line a check that fails, and at the end what was counted.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [base, credential, out] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(out, { recursive: true });

const PAGES = [
  "/", "/changes?span=all", "/changes/c-1", "/changes/c-2", "/changes/c-4", "/changes/c-2/rollout", "/matrix", "/matrix?all=1",
  "/hosts", "/hosts/web16", "/holds", "/holds?all=1", "/holds/h-1", "/holds/new", "/signals", "/alerts", "/alerts/one?about=c-2",
  "/audit", "/settings", "/settings/people", "/reverts/r-1", "/changes/c-2/stop", "/changes/c-2/hold", "/changes/c-2/revert",
  "/changes/c-2/accept", "/changes/c-4/reject",
];
const FIRST_LOAD_MAX = 150 * 1024;
const HOSTILE = "<script>window.taken=1</script>\" onmouseover=\"window.taken=1 \u202etxt.exe \u001b[31mred =cmd()";

let checks = 0, failed = 0;
function check(so, what) {
  checks += 1;
  if (!so) {
    failed += 1;
    console.log(`failed: ${what}`);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

async function signIn(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`${base}/changes/c-2`);
  check(new URL(page.url()).pathname === "/login", `somebody unknown is sent to the login, not to ${page.url()}`);
  await page.fill("input[name=token]", credential);
  await page.click("text=Sign in with it");
  check(new URL(page.url()).pathname === "/changes/c-2", `after the login people are where they wanted to go, not at ${page.url()}`);
  return { context, page };
}

// Every page: both themes, with and without scripts, wide and narrow.
async function everyPage(theme, width, scripts) {
  const how = `${theme} ${width}px ${scripts ? "with" : "without"} scripts`;
  const { context, page } = await signIn({ colorScheme: theme, viewport: { width, height: 800 }, javaScriptEnabled: scripts });
  const said = [];
  page.on("console", (message) => { if (message.type() === "error") said.push(message.text()); });
  page.on("pageerror", (error) => said.push(String(error)));
  let loaded = 0;
  page.on("response", async (answer) => { loaded += (await answer.body().catch(() => "")).length; });
  for (const path of PAGES) {
    loaded = 0;
    const answer = await page.goto(base + path, { waitUntil: "load" });
    const where = `${path}, ${how}`;
    check(answer.status() === 200, `${where}: status ${answer.status()}`);
    check((await page.locator("h1").count()) === 1, `${where}: one heading`);
    check(loaded <= FIRST_LOAD_MAX, `${where}: ${loaded} bytes are loaded`);
    const over = await page.locator("html").evaluate((html) => html.scrollWidth - html.clientWidth).catch(() => 0);
    check(over <= 0, `${where}: it is ${over} px wider than the window`);
    if (scripts) {
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
      for (const one of found.violations.filter((one) => ["serious", "critical"].includes(one.impact))) {
        check(false, `${where}: ${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ")}`);
      }
      checks += 1;
    }
    const name = path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "") || "now";
    if (scripts) await page.screenshot({ path: `${out}/${name}-${theme}-${width}.png`, fullPage: true });
  }
  check(said.length === 0, `${how}: the browser complains: ${said.slice(0, 3).join("; ")}`);
  await context.close();
}

// From the alert's link to what changed, who, is it the cause, how to undo it: without scripts.
async function fromTheAlert() {
  const { context, page } = await signIn({ javaScriptEnabled: false });
  await page.goto(`${base}/changes/c-2`);
  const text = await page.locator("main").innerText();
  for (const wanted of ["File[/etc/app/sitemonitor.conf] content", "r142", "production", "1f3a9c2", "requests stopped", "request dropped", "broken by hand"]) {
    check(text.includes(wanted), `the page of the alert's link says: ${wanted}`);
  }
  await page.click("#revert");
  check((await page.locator("main").innerText()).includes("dry run"), "one click to how to undo it");
  await context.close();
}

// The three buttons, by somebody without scripts.
async function buttons() {
  const { context, page } = await signIn({ javaScriptEnabled: false });
  for (const [button, change] of [["#stop", "c-2"], ["#hold", "c-4"]]) {
    await page.goto(`${base}/changes/${change}`);
    await page.click(button);
    const held = (await page.locator("p.mono").first().innerText()).split(/\s+/)[0];
    check(/^web\d\d$/.test(held), `${button} says first which hosts it is about, not "${held}"`);
    await page.click("#do");
    check(/\/holds\/h-\d+$/.test(page.url()), `${button} leads to the hold, not to ${page.url()}: ${(await page.locator("main").innerText()).slice(0, 300)}`);
    await page.locator("details summary").first().click();
    check((await page.locator("main").innerHTML()).includes(`>${held}<`), `${button} holds ${held}`);
    await page.fill("textarea[name=reason]", "tried");
    await page.click("#release");
    check((await page.locator("h1").innerText()).includes("released"), `the hold of ${button} is released`);
  }
  await page.goto(`${base}/changes/c-4`);
  await page.click("#revert");
  await page.fill("textarea[name=reason]", "nobody could see what it did");
  await page.click("#do");
  check(/\/reverts\/r-\d+$/.test(page.url()), `the revert is begun, and its page shows it, not ${page.url()}`);
  await page.fill("textarea[name=reason]", "tried");
  await page.click("#do");
  check((await page.locator("main").innerText()).includes("Stopped"), "the revert is stopped");
  await page.goto(`${base}/changes/c-4`);
  await page.click("#accept");
  await page.click("#do");
  check(page.url().endsWith("/accept") || page.url().endsWith("/changes/c-4/accept"), "a verdict without a reason is not given");
  await page.fill("textarea[name=reason]", "seen by hand");
  await page.click("#do");
  check((await page.locator("h1").innerText()).includes("accepted"), "a person's verdict is given");
  await context.close();
}

// Hostile text in what people and machines write is shown, and not obeyed.
async function hostile() {
  const { context, page } = await signIn({});
  await page.goto(`${base}/holds/new`);
  await page.fill("textarea[name=hosts]", "web0*");
  await page.fill("textarea[name=reason]", HOSTILE);
  await page.fill("input[name=contact]", HOSTILE);
  await page.fill("input[name=ticket]", HOSTILE);
  await page.fill("input[name=confirm]", "9");
  await page.click("#do");
  check(/\/holds\/h-\d+$/.test(page.url()), `the hold with hostile text is placed: ${(await page.locator("main").innerText()).slice(0, 200)}`);
  const hold = new URL(page.url()).pathname;
  for (const path of [hold, "/", "/holds", "/hosts/web01", "/audit", "/alerts"]) {
    await page.goto(base + path);
    const html = await page.content();
    check(!(await page.evaluate(() => window.taken)), `${path}: hostile text was run`);
    check(!/[\u202e\u001b]/.test(html), `${path}: hostile characters are written out`);
    check(!html.includes("<script>window"), `${path}: no markup of a value`);
  }
  await page.goto(base + hold);
  await page.fill("textarea[name=reason]", "tried");
  await page.click("#release");
  await context.close();
}

// A page that is open shows what happens, by itself.
async function live() {
  const { context, page } = await signIn({});
  await page.goto(`${base}/`);
  await page.waitForFunction(() => document.getElementById("live").textContent === "live", null, { timeout: 15000 }).catch(() => check(false, "the page never says that it is live"));
  const other = await context.newPage();
  await other.goto(`${base}/holds/new?hosts=web05&reason=seen+live`);
  await other.click("#do");
  const hold = new URL(other.url()).pathname.split("/").pop();
  await page.bringToFront();
  const seen = await page.waitForFunction((hold) => document.getElementById("main").innerText.includes(hold), hold, { timeout: 20000 }).then(() => true, () => false);
  check(seen, `${hold} is seen on the page that was open`);
  await context.close();
}

// The keyboard reaches everything, and what it is on is seen.
async function keyboard() {
  const { context, page } = await signIn({});
  await page.goto(`${base}/changes/c-2`);
  await page.keyboard.press("Tab");
  check((await page.evaluate(() => document.activeElement.className)) === "skip", "the first stop skips the menu");
  await page.keyboard.press("Enter");
  let reached = false;
  for (let step = 0; step < 40 && !reached; step += 1) {
    await page.keyboard.press("Tab");
    reached = await page.evaluate(() => document.activeElement.id === "stop");
  }
  check(reached, "the keyboard reaches the stop button");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  check(outline !== "none", "what the keyboard is on is seen");
  await context.close();
}

// The pictures of the README, as they are after the demo.
async function pictures() {
  const { context, page } = await signIn({ colorScheme: "light", viewport: { width: 1100, height: 1500 } });
  for (const [name, path] of [["change", "/changes/c-2"], ["matrix", "/matrix"]]) {
    await page.goto(base + path);
    await page.screenshot({ path: `${out}/readme-${name}.png` });
  }
  await context.close();
}

await pictures();
for (const theme of ["light", "dark"]) {
  for (const width of [1280, 360]) {
    for (const scripts of [true, false]) await everyPage(theme, width, scripts);
  }
}
for (const story of [fromTheAlert, keyboard, hostile, live, buttons]) {
  try {
    await story();
  } catch (error) {
    check(false, `${story.name}: ${error.message.split("\n").slice(0, 3).join(" ")}`);
  }
}
await browser.close();
console.log(JSON.stringify({ story: failed === 0 ? "ok" : "failed", checks, failed }));
process.exit(failed === 0 ? 0 : 1);
