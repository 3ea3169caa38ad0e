// Judges IAM requests against policies: a line of JSON with the policies comes first, then one line per request.
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { account, identity, resource } = JSON.parse((await lines.next()).value)

// A policy that names one thing where it could name several is explained so too.
const matching = (explained) => [explained ?? []].flat().filter((one) => one.matches)

const spelled = (policy, { explain }) => ({
  policy,
  statement: explain.identifier,
  actions: matching(explain.actions).map((one) => one.action),
  resources: matching(explain.resources).map((one) => one.resource),
  unmet: [explain.conditions ?? []].flat().filter((one) => !one.matches)
    .map((one) => `${one.operator} ${one.conditionKeyValue}`)
})

// Statements that speak of this action on this resource, but not under these conditions.
const almost = (analysis) =>
  (analysis?.unmatchedStatements ?? []).filter(({ explain }) => explain.actionMatch && explain.resourceMatch)

function told(analysis) {
  const { identityAnalysis: own, resourceAnalysis: its } = analysis
  const of = (name) => [
    ...(own?.[name] ?? []).map((s) => spelled(s.policyId ?? '', s)),
    ...(its?.[name] ?? []).map((s) => spelled('resource', s))
  ]
  const unmet = [...almost(own), ...almost(its)].map((s) => spelled(s.policyId ?? 'resource', s))
  return { allowed_by: of('allowStatements'), denied_by: of('denyStatements'), unmet }
}

for await (const line of lines) {
  const asked = JSON.parse(line)
  const answer = await runSimulation(
    {
      request: {
        principal: asked.principal,
        action: asked.action,
        resource: { resource: asked.resource, accountId: account },
        contextVariables: asked.context
      },
      identityPolicies: identity[asked.principal] ?? [],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: asked.policy_of === null ? undefined : resource[asked.policy_of]
    },
    {}
  )
  if (answer.resultType === 'error') {
    console.log(JSON.stringify({ result: 'Error', error: JSON.stringify(answer.errors) }))
    continue
  }
  const results = answer.resultType === 'single' ? [answer.result] : answer.results
  const parts = results.map((one) => told(one.analysis))
  const all = (name) => parts.flatMap((part) => part[name])
  const ignored = results.flatMap((one) => one.ignoredContextKeys ?? [])
  console.log(
    JSON.stringify({
      result: answer.overallResult,
      allowed_by: all('allowed_by'),
      denied_by: all('denied_by'),
      unmet: all('unmet'),
      ignored
    })
  )
}
