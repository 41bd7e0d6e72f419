// Uploads a file with tus-js-client as its makers ship it, and prints each step as a line of JSON.
const fs = require('node:fs')
const { PassThrough } = require('node:stream')
const tus = require('tus-js-client')

const given = JSON.parse(fs.readFileSync(0, 'utf8'))
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)

const options = {
  headers: { Authorization: `Bearer ${given.key}` },
  retryDelays: given.retryDelays || [],
  chunkSize: given.chunkSize || Infinity,
  metadata: given.metadata || {},
  protocol: given.protocol || 'tus-v1',
  uploadDataDuringCreation: Boolean(given.during),
  uploadLengthDeferred: Boolean(given.deferred),
  overridePatchMethod: Boolean(given.override),
  uploadUrl: given.uploadUrl || null,
  onUploadUrlAvailable: () => say({ url: upload.url }),
  onChunkComplete: (size, accepted) => {
    say({ accepted })
    if (given.stopAt && accepted >= given.stopAt) {
      upload.abort(Boolean(given.terminate)).then(() => say({ aborted: true }))
    }
  },
  onError: (error) => {
    say({ error: String(error) })
    process.exitCode = given.mayFail ? 0 : 1
  },
  onSuccess: ({ lastResponse }) =>
    say({ done: upload.url, digest: lastResponse.getHeader('Repr-Digest') || null }),
}
if (!given.uploadUrl) options.endpoint = given.endpoint
const file = fs.createReadStream(given.file)
const source = given.deferred ? file.pipe(new PassThrough()) : file
if (!given.deferred) options.uploadSize = fs.statSync(given.file).size
const upload = new tus.Upload(source, options)
upload.start()
