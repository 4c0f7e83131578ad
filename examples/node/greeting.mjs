// A bot in Node.js whose sessions are kept by `turnlog serve`: it asks for a name and a colour.
//
//   turnlog serve --db sqlite:///chat.db &
//   node examples/node/greeting.mjs http://127.0.0.1:5005 ann "hello" "Ann" "green"
//
// Kill it between two messages and start it again: it continues where it was.

const [base, id, ...said] = process.argv.slice(2);

async function sessions(method, path, body) {
  const response = await fetch(`${base}/sessions/${encodeURIComponent(id)}/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

const next = (unit, state) => sessions("POST", "thread/next", { unit, state });
const end = () => sessions("POST", "thread/end", {});
const setvar = (unit, name, value) => sessions("PUT", `variables/${unit}/${name}`, value);

async function say(text, prompt = {}) {
  console.log(`bot: ${text}`);
  await sessions("POST", "thread/response", { text, ...prompt });
}

const ask = (text) => say(text, { wait: 60, attempts: 2 });

const units = {
  greeting: {
    async start() {
      await ask("What's your name?");
      await next("greeting", "gotName");
    },
    async gotName(text) {
      await setvar("greeting", "name", text);
      await ask(`Hello ${text}! Which colour do you like?`);
      await next("greeting", "gotColour");
    },
    async gotColour(text, variables) {
      const seen = (await sessions("GET", "values/colours")) ?? [];
      await sessions("PUT", "values/colours", [...seen, text]);
      await say(`${variables.greeting.name} likes ${text}. Goodbye!`);
      await end();
    },
  },
};

for (const text of said) {
  console.log(`user: ${text}`);
  let thread = await sessions("GET", "thread");
  if (thread === null || thread.ended) {
    await sessions("POST", "thread/start", { unit: "greeting", state: "start" });
  }
  thread = await sessions("POST", "thread/request", { text });
  await units[thread.unit][thread.state](text, thread.variables ?? {});
}
