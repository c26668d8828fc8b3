// SPDX-License-Identifier: GPL-2.0-or-later
// Asks for one page over TLS: node tools/node_client.js https|http2 URL
const [protocol, url] = process.argv.slice(2);
const options = {rejectUnauthorized: false};  // the certificate was made a moment ago

if (protocol === "http2") {
  const client = require("http2").connect(url, options);
  client.request({":path": new URL(url).pathname}).on("end", () => client.close()).resume();
} else {
  require("https").get(url, {...options, maxVersion: "TLSv1.2"}, (answer) => answer.resume());
}
