// The HTML that stands in for JSON when something in front of the gateway answers.

/** nginx's page for a status, as its defaults make it. */
export function nginxPage(status: number): string {
  const title = `${status} ${NGINX_TITLES[status] ?? "Error"}`;
  return (
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n` +
    `<center><h1>${title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`
  );
}

/** Cloudflare's page for a status between 520 and 530. */
export function cloudflarePage(status: number): string {
  return (
    `<!DOCTYPE html>\n<html lang="en-US">\n<head><title>sandbox | ${status}: ` +
    `${CLOUDFLARE_TITLES[status] ?? "Web server error"}</title></head>\n` +
    `<body><h1>Error ${status}</h1><p>Cloudflare</p></body>\n</html>\n`
  );
}

/** Cloudflare's page for error 1015 and for its challenge. */
export function cloudflareBlockPage(title: string): string {
  return `<!DOCTYPE html>\n<html lang="en-US">\n<head><title>${title}</title></head>\n<body></body>\n</html>\n`;
}

/** What the gateway's web console serves at any path that is no API. */
export const CONSOLE_PAGE =
  '<!doctype html>\n<html lang="zh"><head><meta charset="utf-8"><title>New API</title></head>' +
  '<body><div id="root"></div></body></html>\n';

const NGINX_TITLES: Readonly<Record<number, string>> = {
  413: "Request Entity Too Large",
  502: "Bad Gateway",
  503: "Service Temporarily Unavailable",
  504: "Gateway Time-out",
};

const CLOUDFLARE_TITLES: Readonly<Record<number, string>> = {
  520: "Web server is returning an unknown error",
  521: "Web server is down",
  522: "Connection timed out",
  523: "Origin is unreachable",
  524: "A timeout occurred",
  525: "SSL handshake failed",
};
