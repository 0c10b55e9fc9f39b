metadata description = 'Alarms on what the bridge says of itself, and on what it has not said for too long.'

param name string
param location string
param tags object
param workspaceId string
param actionGroupId string

@description('Whether the timer that asks Campaign for changed opt-outs does anything.')
param optoutPoll bool

// Each query gives a row for each thing that is wrong; its columns named in `dimensions` tell which. The query names its
// own stretch of time within `lookback`, because a rule's own window ends at a day.
var rules = [
  {
    name: 'alarm'
    description: 'The bridge raised an alarm; the reason says what to do (bridge reasons REASON).'
    severity: 1
    every: 'PT5M'
    lookback: 'PT10M'
    query: loadTextContent('../queries/alarm.kql')
    dimensions: [
      'place'
      'reason'
    ]
  }
  {
    name: 'halt'
    description: 'Every message of a lane fails alike: credentials, configuration, or the hourly limit of deletions.'
    severity: 1
    every: 'PT5M'
    lookback: 'PT15M'
    query: loadTextContent('../queries/halt.kql')
    dimensions: [
      'lane'
      'reason'
    ]
  }
  {
    name: 'lane-age'
    description: 'What a lane settles has waited for more than 15 minutes.'
    severity: 2
    every: 'PT15M'
    lookback: 'PT1H'
    query: loadTextContent('../queries/lane_age.kql')
    dimensions: [
      'lane'
    ]
  }
  {
    name: 'optout-late'
    description: 'An opt-out is older than a day and still not in both systems: before its legal deadline ends.'
    severity: 1
    every: 'PT1H'
    lookback: 'P1D'
    query: loadTextContent('../queries/optout_late.kql')
    dimensions: []
  }
  {
    name: 'optout-overdue'
    description: 'The days that a regulation gives are over, and an opt-out is not in both systems.'
    severity: 0
    every: 'PT5M'
    lookback: 'PT2H'
    query: loadTextContent('../queries/optout_overdue.kql')
    dimensions: [
      'detail'
    ]
  }
  {
    name: 'no-optout-file'
    description: 'For 26 hours no opt-out file came from Campaign.'
    severity: 2
    every: 'PT1H'
    lookback: 'P2D'
    query: loadTextContent('../queries/no_optout_file.kql')
    dimensions: []
  }
  {
    name: 'calls-refused'
    description: 'Dynamics or Campaign refuses credentials (401, 403), or asks for patience very often (429).'
    severity: 2
    every: 'PT15M'
    lookback: 'PT15M'
    query: loadTextContent('../queries/calls_refused.kql')
    dimensions: [
      'system'
      'status'
    ]
  }
  {
    name: 'settled-without-work'
    description: 'Service Bus settled far more messages than the bridge worked on: they may be lost.'
    severity: 0
    every: 'PT1H'
    lookback: 'PT3H'
    query: loadTextContent('../queries/settled_without_work.kql')
    dimensions: []
  }
  {
    name: 'credential-expiry'
    description: 'A secret in the vault ends soon, or has ended.'
    severity: 2
    every: 'PT1H'
    lookback: 'P1D'
    query: loadTextContent('../queries/credential_expiry.kql')
    dimensions: [
      'secret'
    ]
  }
]

// Every timer, with the minutes of silence after which somebody should look: a few times its usual pause.
var timersAlways = [
  {
    name: 'change_sweep'
    minutes: 30
  }
  {
    name: 'optout_file'
    minutes: 60
  }
  {
    name: 'event_egress'
    minutes: 30
  }
  {
    name: 'ledger_checks'
    minutes: 15
  }
  {
    name: 'optout_deadlines'
    minutes: 180
  }
  {
    name: 'journal_seal'
    minutes: 2160
  }
]
var timersByChoice = [
  {
    name: 'optout_poll'
    minutes: 60
  }
]
var timers = optoutPoll ? concat(timersAlways, timersByChoice) : timersAlways
var silent = loadTextContent('../queries/timer_silent.kql')

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${name}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: ${rule.name}'
    description: rule.description
    severity: rule.severity
    enabled: true
    autoMitigate: true
    // A table comes into being with its first row.
    skipQueryValidation: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: rule.every
    windowSize: rule.every
    overrideQueryTimeRange: rule.lookback
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [for dimension in rule.dimensions: {
            name: dimension
            operator: 'Include'
            values: [
              '*'
            ]
          }]
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        actionGroupId
      ]
    }
  }
}]

resource silence 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for timer in timers: {
  name: '${name}-silent-${timer.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: ${timer.name} is silent'
    description: 'The timer has not ended a run well for too long; a run that is cut short does not count.'
    severity: 2
    enabled: true
    autoMitigate: true
    skipQueryValidation: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    overrideQueryTimeRange: 'P2D'
    criteria: {
      allOf: [
        {
          query: replace(replace(silent, '{timer}', timer.name), '{minutes}', string(timer.minutes))
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        actionGroupId
      ]
    }
  }
}]
