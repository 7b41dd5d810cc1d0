// SPDX-License-Identifier: LGPL-2.1-or-later
// In place of a Windows host, behind a real sshd (ForceCommand): takes the
// command line and standard input as PowerShell would, and does for each verb
// of host-ssh.ps1 what the script says.  The script itself must be, word for
// word, what is in the tree; anything else is refused.  The machines that
// "Hyper-V" knows are in STATE/machines.json.
//
//   node hyperv-stand-in.mjs host-ssh.ps1 STATE
import fs from 'node:fs';
import path from 'node:path';
import crypto from 'node:crypto';

const [scriptFile, state] = process.argv.slice(2);
const BLOCK = 2 * 1024 * 1024;

// ---- the command line ----

const command = process.env.SSH_ORIGINAL_COMMAND ?? '';
fs.appendFileSync(path.join(state, 'commands'), command + '\n');
const m = /^powershell\.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -OutputFormat Text -EncodedCommand ([A-Za-z0-9+/=]+)$/.exec(command);
if (!m || command.length > 8191) {
    process.stderr.write('stand-in: not a command of ours\n');
    process.exit(1);
}
const script = Buffer.from(m[1], 'base64').toString('utf16le');
const verb = /^# v2v: ([a-z_]+)\n/.exec(script)?.[1];
const parts = new Map();
for (const part of fs.readFileSync(scriptFile, 'utf8').split(/^# @/m).slice(1)) {
    const [name, ...lines] = part.split('\n');
    parts.set(name.replace(/@$/, ''), lines.map(l => l.trimStart())
        .filter(l => l !== '' && !l.startsWith('#')).map(l => l + '\n').join(''));
}
const extra = { digest: 'DIGESTS', prepare: 'DIGESTS', write: 'DIGESTS', register: 'MACHINE',
    start: 'MACHINE', stop: 'MACHINE', unregister: 'MACHINE', state: 'MACHINE' };
const expected = `# v2v: ${verb}\n` + (extra[verb] ? parts.get(extra[verb]) : '') +
    parts.get('COMMON') + parts.get(`VERB ${verb}`) + parts.get('END');
if (script !== expected) {
    process.stderr.write('stand-in: the script is not that of the tree\n');
    process.exit(1);
}

// ---- standard input and output ----

const pending = { buf: Buffer.alloc(0), end: false };
function more() {
    const chunk = Buffer.alloc(1 << 16);
    for (;;) {
        try {
            const n = fs.readSync(0, chunk, 0, chunk.length, null);
            if (n === 0) { pending.end = true; return false; }
            pending.buf = Buffer.concat([pending.buf, chunk.subarray(0, n)]);
            return true;
        } catch (e) {
            if (e.code === 'EAGAIN') { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); continue; }
            if (e.code === 'EOF') { pending.end = true; return false; }
            throw e;
        }
    }
}
function readLine() {
    let i;
    while ((i = pending.buf.indexOf(10)) < 0) if (!more()) { i = pending.buf.length; break; }
    const line = pending.buf.subarray(0, i).toString('utf8');
    pending.buf = pending.buf.subarray(i + 1);
    return line;
}
function readBytes(n) {
    const list = [];
    while (n > 0) {
        if (pending.buf.length === 0 && !more()) throw new Error('the connection was lost');
        const piece = pending.buf.subarray(0, n);
        pending.buf = pending.buf.subarray(piece.length);
        n -= piece.length;
        list.push(piece);
    }
    return Buffer.concat(list);
}
function writeAll(bytes) {
    for (let at = 0; at < bytes.length;) {
        try { at += fs.writeSync(1, bytes, at); }
        catch (e) {
            if (e.code !== 'EAGAIN') throw e;
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        }
    }
}
const sendLine = s => writeAll(Buffer.from(s + '\n'));

// ---- what the cmdlets would do ----

let data;
const full = rel => path.join(data.root, rel);
const isFile = p => fs.existsSync(p) && fs.statSync(p).isFile();
function digests(p) {
    const bytes = fs.readFileSync(p), all = [];
    for (let i = 0; i < bytes.length; i += BLOCK)
        all.push(crypto.createHash('sha256').update(bytes.subarray(i, i + BLOCK)).digest());
    return [bytes.length, Buffer.concat(all).toString('base64')];
}
const machinesFile = path.join(state, 'machines.json');
const known = () => fs.existsSync(machinesFile) ? JSON.parse(fs.readFileSync(machinesFile, 'utf8')) : {};
const save = k => fs.writeFileSync(machinesFile, JSON.stringify(k));
const idOf = () => JSON.parse(fs.readFileSync(path.join(full(data.machine), `${data.machine}.json`), 'utf8')).id;

const verbs = {
    kind (a) {
        const p = full(data.rel);
        a.kind = isFile(p) ? 'file' : fs.existsSync(p) ? 'folder' : 'nothing';
    },
    digest (a, lines) {
        const p = full(data.rel);
        a.size = -1;
        if (isFile(p)) { const [size, d] = digests(p); a.size = size; lines.push(d); }
    },
    prepare (a, lines) {
        a.files = data.files.map(item => {
            const which = ['part', 'old'].find(w => item[w] !== '' && isFile(full(item[w])));
            if (!which) return { have: '', size: 0 };
            const [size, d] = digests(full(item[which]));
            lines.push(d);
            return { have: which, size };
        });
    },
    write (a, lines) {
        const open = data.files.map(item => {
            const p = full(item.part);
            fs.mkdirSync(path.dirname(p), { recursive: true });
            if (item.old !== '' && !fs.existsSync(p)) fs.copyFileSync(full(item.old), p);
            if (fs.existsSync(p)) fs.chmodSync(p, 0o644);
            return fs.openSync(p, fs.constants.O_RDWR | fs.constants.O_CREAT);
        });
        let frames = 0;
        for (;;) {
            const line = readLine();
            if (line === 'end') break;
            const head = line.split(' ');
            if (head.length !== 3) throw new Error('the connection was lost');
            const bytes = readBytes(Number(head[2]));
            // The test asks for a break in the middle, and for damage.
            if (fs.existsSync(path.join(state, 'break')) && ++frames > 2) process.exit(1);
            if (fs.existsSync(path.join(state, 'damage'))) bytes[7] ^= 1;
            fs.writeSync(open[Number(head[0])], bytes, 0, bytes.length, Number(head[1]));
        }
        data.files.forEach((item, i) => { fs.ftruncateSync(open[i], item.size); fs.closeSync(open[i]); });
        for (const item of data.files) lines.push(digests(full(item.part))[1]);
    },
    publish () {
        const from = full(data.from), to = full(data.to);
        if (fs.statSync(from).isDirectory() && fs.existsSync(to)) throw new Error('it is there already');
        fs.mkdirSync(path.dirname(to), { recursive: true });
        fs.renameSync(from, to);
    },
    seal () { fs.chmodSync(full(data.rel), 0o444); },
    get () {
        const bytes = fs.readFileSync(full(data.rel));
        if (bytes.length > data.max) throw new Error(`${bytes.length} bytes, at most ${data.max} are read`);
        sendLine(JSON.stringify({ ok: true, size: bytes.length }));
        writeAll(bytes);
    },
    remove_files () { fs.rmSync(full(data.rel), { recursive: true, force: true }); },
    list (a) {
        const p = full(data.rel);
        a.files = !fs.existsSync(p) ? [] : fs.readdirSync(p, { withFileTypes: true }).map(e => {
            const st = fs.statSync(path.join(p, e.name));
            return { name: e.name, size: e.isDirectory() ? 0 : st.size,
                mtime: Math.floor(st.mtimeMs), folder: e.isDirectory() };
        });
    },
    register () {
        const k = known();
        if (k[idOf()]) return;
        if (!isFile(path.join(full(data.machine), `New-${data.machine}.ps1`))) throw new Error('no script');
        k[idOf()] = 'Off';
        save(k);
    },
    start () {
        const k = known();
        if (!k[idOf()]) throw new Error('the machine is not registered');
        k[idOf()] = 'Running';
        save(k);
    },
    stop () {
        const k = known();
        if (k[idOf()]) { k[idOf()] = 'Off'; k.force = data.force; save(k); }
    },
    unregister () {
        const k = known();
        if (k[idOf()] && k[idOf()] !== 'Off') throw new Error('the machine is running');
        delete k[idOf()];
        save(k);
    },
    state (a) {
        a.state = 'absent';
        if (!fs.existsSync(full(data.machine))) return;
        const s = known()[idOf()];
        a.state = !s ? 'unknown' : s === 'Off' ? 'off' : 'running';
    },
};

let answer = { ok: true };
let lines = [];
try {
    data = JSON.parse(readLine());
    verbs[verb](answer, lines);
} catch (e) {
    answer = { ok: false, error: String(e.message) };
    lines = [];
}
sendLine(JSON.stringify(answer));
for (const line of lines) sendLine(line);
