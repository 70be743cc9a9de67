// Asks the run. An answer counts when all of it is here: a connection that breaks in the middle is no answer, which is null.
export async function ask(path, options) {
  try {
    const answer = await fetch(path, options), text = await answer.text();
    return { ok: answer.ok, status: answer.status, text, json: () => JSON.parse(text) };
  } catch {
    return null;
  }
}
