/** The dialect of Gemini's `generateContent` and `streamGenerateContent`, and its variant for counting tokens. */

import type { Dialect } from '../codec.ts'
import { proofMarkBase64 } from '../proof.ts'
import { countReply, countTokensDialect } from './count-tokens.ts'
import { geminiDecoder } from './decode.ts'
import { embedDialects } from './embed.ts'
import { geminiEncoder } from './encode.ts'
import { geminiErrorBody, geminiErrorFrames, readGeminiError } from './errors.ts'
import { foreignParts, signatureInstead } from './foreign.ts'
import { geminiInteresting } from './interesting.ts'
import { geminiParts } from './parts.ts'
import { readGeminiRequest } from './read.ts'
import { decodeGeminiWhole, encodeGeminiWhole, geminiSummary } from './whole.ts'
import { writeGeminiRequest } from './write.ts'

export const geminiGenerate: Dialect = {
  name: 'gemini-generate',
  family: 'gemini',
  parts: geminiParts,
  prompt: { tools: ['tools'], system: ['systemInstruction', 'system_instruction'], messages: ['contents'], alone: true },
  request: {
    read: readGeminiRequest,
    write: writeGeminiRequest,
    foreign: foreignParts,
    standIn: signatureInstead,
    proofMark: proofMarkBase64,
  },
  interesting: geminiInteresting,
  terminal: 'stop',
  decoder: geminiDecoder,
  encoder: geminiEncoder,
  summary: geminiSummary,
  decodeWhole: decodeGeminiWhole,
  encodeWhole: encodeGeminiWhole,
  errorBody: geminiErrorBody,
  errorFrames: geminiErrorFrames,
  readError: readGeminiError,
}

export const geminiCountTokens: Dialect = countTokensDialect(geminiGenerate)
export { countReply }

const { one, batch } = embedDialects(geminiGenerate)
export const geminiEmbedContent: Dialect = one
export const geminiBatchEmbed: Dialect = batch

/** Path of a call below the base URL. A tuned model or another resource is named by its whole path. */
export function geminiPath(model: string, verb: string): string {
  const path = model.split('/').map(encodeURIComponent).join('/')
  return `/v1beta/${/^(models|tunedModels)\//.test(model) ? path : `models/${path}`}:${verb}`
}
