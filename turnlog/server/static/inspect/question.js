// A question to the server; only its newest request counts.

const ROOT = "/inspect/api/";

export class Question {
  constructor(path) {
    this.path = path;
    this.asking = null;
  }

  /** The answer; null if it was asked again meanwhile. Throws an Error with the server's message. */
  async ask(query, body) {
    this.drop();
    const asking = (this.asking = new AbortController());
    try {
      const answer = await fetch(address(this.path, query), { signal: asking.signal, ...sent(body) });
      if (answer.status === 401) location.reload();
      const said = await answer.json();
      if (asking !== this.asking) return null;
      if (!answer.ok) throw new Error(said.message ?? `the server answered ${answer.status}`);
      return said;
    } catch (error) {
      if (error.name === "AbortError" || asking !== this.asking) return null;
      throw error;
    }
  }

  /** Ignore the answer to the open request. */
  drop() {
    this.asking?.abort();
    this.asking = null;
  }
}

export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return `${ROOT}${path}?${new URLSearchParams(given)}`;
}

function sent(body) {
  if (body === undefined) return {};
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}
