import { conformance } from 'headgate/testkit'
import catalog from './index.ts'

conformance(catalog)
conformance(catalog, { id: 'catalog-in-full', with: { pricing: { open: true }, model_info: { paths: ['/model/info'] }, markup: 12.5 } })
