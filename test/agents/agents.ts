/**
 * The agents: how each is pointed at a gateway, asked one question without a terminal, and with which tool it reads a file.
 *
 * Everything that an agent keeps stands in a home folder of its own. What would call home is switched off.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Arguments } from '../support/model/script.ts'

const foreignToChat = ['responses', 'messages', 'gemini'] as const

export interface Run {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface Place {
  /** Of the gateway, without a path. */
  readonly url: string
  /** Where the agent keeps its things; empty. */
  readonly home: string
  /** Where it works. */
  readonly work: string
  readonly prompt: string
}

export interface Agent {
  readonly name: string
  /** What it speaks. */
  readonly dialect: 'chat' | 'responses' | 'messages' | 'gemini'
  /** Dialects of upstreams whose proofs it loses, because of what it keeps of a reply. The README says why. */
  readonly forgets?: readonly Agent['dialect'][]
  /** Where it names its session, of the places that the plugin `session` knows; absent when it names none. */
  readonly id?: string
  /** The call that reads a file. */
  args(file: string): Arguments
  run(place: Place): Run
}

/** Any name: the gateway of a run sends every model to one upstream. */
const model = 'scripted-model'
const key = 'client-secret'

function write(path: string, content: object | string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
}

/** For ids that it knows it asks for other ways of thinking, and puts its mid-conversation texts elsewhere. */
const claude = (id: string): Agent => ({
  name: id === model ? 'Claude Code' : `Claude Code (${id})`,
  dialect: 'messages',
  id: 'x-claude-code-session-id',
  args: (file) => ({ Read: { file_path: file } }),
  run: ({ url, prompt }) => ({
    command: ['claude', '-p', prompt, '--output-format', 'text'],
    env: {
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_AUTH_TOKEN: key,
      ANTHROPIC_MODEL: id,
      ANTHROPIC_SMALL_FAST_MODEL: id,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      CLAUDE_CODE_MAX_RETRIES: '1',
      DISABLE_AUTOUPDATER: '1',
    },
  }),
})

/** For ids that it knows its tools stand in the input, in namespaces, and commands are run by a program that the model writes (a custom tool). */
const codex = (id: string): Agent => ({
  name: id === model ? 'Codex' : `Codex (${id})`,
  dialect: 'responses',
  id: 'session-id',
  args: (file) => ({
    exec_command: { cmd: `cat ${file}` },
    functions__exec: { input: `text((await tools.exec_command({ cmd: ${JSON.stringify(`cat ${file}`)} })).output)` },
  }),
  run: ({ url, home, prompt }) => {
    const config = `model = "${id}"
model_provider = "headgate"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[model_providers.headgate]
name = "Headgate"
base_url = "${url}/v1"
env_key = "HEADGATE_KEY"
wire_api = "responses"
request_max_retries = 1
stream_max_retries = 1

[analytics]
enabled = false
`
    write(join(home, '.codex', 'config.toml'), config)
    return { command: ['codex', 'exec', '--skip-git-repo-check', prompt], env: { HEADGATE_KEY: key, CODEX_HOME: join(home, '.codex') } }
  },
})

const gemini = (id: string): Agent => ({
  name: id === model ? 'Gemini CLI' : `Gemini CLI (${id})`,
  dialect: 'gemini',
  args: (file) => ({ read_file: { file_path: file } }),
  run: ({ url, home, prompt }) => {
    write(join(home, '.gemini', 'settings.json'), {
      security: { auth: { selectedType: 'gemini-api-key' }, folderTrust: { enabled: false } },
      privacy: { usageStatisticsEnabled: false },
      telemetry: { enabled: false },
      general: { disableAutoUpdate: true, disableUpdateNag: true, enableAutoUpdate: false },
    })
    return {
      command: ['gemini', '-m', id, '-o', 'json', '-p', prompt],
      env: { GOOGLE_GEMINI_BASE_URL: url, GEMINI_API_KEY: key, GEMINI_CLI_TRUST_WORKSPACE: 'true' },
    }
  },
})

/** opencode speaks what the npm package of its provider speaks. */
function opencode(dialect: Agent['dialect'], npm: string): Agent {
  return {
    name: `opencode (${dialect})`,
    dialect,
    id: 'x-session-affinity',
    forgets: dialect === 'chat' ? foreignToChat : [],
    args: (file) => ({ read: { filePath: file } }),
    run: ({ url, home, prompt }) => {
      write(join(home, '.config', 'opencode', 'opencode.json'), {
        $schema: 'https://opencode.ai/config.json',
        autoupdate: false,
        share: 'disabled',
        model: `headgate/${model}`,
        small_model: `headgate/${model}`,
        permission: { '*': 'allow' },
        provider: {
          headgate: {
            npm,
            name: 'Headgate',
            options: { baseURL: dialect === 'gemini' ? `${url}/v1beta` : `${url}/v1`, apiKey: key },
            models: { [model]: { name: 'Scripted', tool_call: true, reasoning: true, limit: { context: 200_000, output: 32_000 } } },
          },
        },
      })
      return {
        command: ['opencode', 'run', prompt],
        env: { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_DISABLE_LSP_DOWNLOAD: '1' },
      }
    },
  }
}

function pi(dialect: Agent['dialect'], api: string): Agent {
  return {
    name: `pi (${dialect})`,
    dialect,
    ...(dialect === 'responses' && { id: 'session_id' }),
    forgets: dialect === 'chat' ? foreignToChat : dialect === 'messages' ? ['gemini'] : [],
    args: (file) => ({ read: { path: file } }),
    run: ({ url, home, prompt }) => {
      const base = { chat: '/v1', responses: '/v1', messages: '', gemini: '/v1beta' }[dialect]
      write(join(home, '.pi', 'agent', 'models.json'), {
        providers: {
          headgate: {
            baseUrl: `${url}${base}`,
            apiKey: key,
            api,
            models: [
              {
                id: model,
                name: 'Scripted',
                reasoning: true,
                input: ['text'],
                contextWindow: 200_000,
                maxTokens: 32_000,
                cost: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 },
              },
            ],
          },
        },
      })
      return {
        command: ['pi', '-p', '--provider', 'headgate', '--model', model, prompt],
        env: { PI_SKIP_VERSION_CHECK: '1', PI_OFFLINE: '1' },
      }
    },
  }
}

const qwen: Agent = {
  name: 'qwen-code',
  dialect: 'chat',
  forgets: foreignToChat,
  args: (file) => ({ read_file: { file_path: file } }),
  run: ({ url, home, prompt }) => {
    write(join(home, '.qwen', 'settings.json'), {
      security: { auth: { selectedType: 'openai' } },
      privacy: { usageStatisticsEnabled: false },
      telemetry: { enabled: false },
      general: { disableAutoUpdate: true, enableAutoUpdate: false },
    })
    return {
      command: ['qwen', '-p', prompt],
      env: { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key, OPENAI_MODEL: model },
    }
  },
}

export const agents: readonly Agent[] = [
  claude(model),
  claude('claude-sonnet-4-5'),
  claude('claude-opus-5'),
  codex(model),
  codex('gpt-6-sol'),
  gemini(model),
  gemini('gemini-3-pro-preview'),
  opencode('chat', '@ai-sdk/openai-compatible'),
  opencode('responses', '@ai-sdk/openai'),
  opencode('messages', '@ai-sdk/anthropic'),
  opencode('gemini', '@ai-sdk/google'),
  pi('chat', 'openai-completions'),
  pi('responses', 'openai-responses'),
  pi('messages', 'anthropic-messages'),
  pi('gemini', 'google-generative-ai'),
  qwen,
]
