// Answers of routes that belong to no protocol.

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "x-request-id": requestId(), ...headers },
  });
}

export function plain(
  status: number,
  type: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return json(status, { error: { type, message } }, headers);
}

export function requestId(): string {
  return `req_${crypto.randomUUID().replaceAll("-", "")}`;
}
