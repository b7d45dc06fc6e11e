// Why a TLS connection does not come about, in words: of the codes of OpenSSL and Bun.

interface Trust {
  readonly codes: RegExp;
  readonly message: string;
  readonly advice: (hostname: string, key: string) => string;
}

/** What a certificate is refused with, in OpenSSL's words and Bun's. */
const TRUST: readonly Trust[] = [
  {
    codes: /^CERT_HAS_EXPIRED/,
    message: "shows a certificate that has expired",
    advice: () => "see this machine's clock; if it is right, whoever runs that server has to renew it",
  },
  {
    codes: /^CERT_NOT_YET_VALID/,
    message: "shows a certificate that is not valid yet",
    advice: () => "see this machine's clock: it is probably behind",
  },
  {
    codes: /ALTNAME_INVALID|HOSTNAME_MISMATCH/,
    message: "shows a certificate for another name",
    advice: (hostname, key) =>
      `see how the host is spelled in ${key}; if it is right, somebody else answers for ${hostname}`,
  },
  {
    codes: /SELF_SIGNED|^UNABLE_TO_|^CERT_|^DEPTH_ZERO_/,
    message: "shows a certificate that nobody vouches for whom this machine trusts",
    advice: () =>
      "a firewall that looks into TLS, or a server of your own: start with NODE_EXTRA_CA_CERTS=FILE, the certificate of its authority",
  },
  {
    codes: /^EPROTO|^ERR_(?:SSL|TLS)_/,
    message: "does not speak TLS on this port",
    advice: (_, key) =>
      `see the port in ${key}, and whether it should begin with http:// (private hosts only)`,
  },
];

/** Undefined for a code that is about something else. `key`: where the host is configured. */
export function distrust(
  code: string,
  hostname: string,
  key: string,
): { readonly message: string; readonly advice: string } | undefined {
  const found = TRUST.find(({ codes }) => codes.test(code));
  return found && { message: found.message, advice: found.advice(hostname, key) };
}
