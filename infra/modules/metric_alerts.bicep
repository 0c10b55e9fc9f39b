metadata description = 'Alarms on what Service Bus itself counts.'

param name string
param tags object
param serviceBusId string
param actionGroupId string

// `queues`: all of them, or those named. docs/operations.md tells what to do about each.
var rules = [
  {
    name: 'dead-letters'
    description: 'The broker gave up a message: the function failed on every delivery.'
    severity: 1
    metric: 'DeadletteredMessages'
    aggregation: 'Maximum'
    threshold: 0
    window: 'PT5M'
    queueOperator: 'Include'
    queues: [
      '*'
    ]
  }
  {
    name: 'parked'
    description: 'Messages wait for a person.'
    severity: 2
    metric: 'ActiveMessages'
    aggregation: 'Maximum'
    threshold: 0
    window: 'PT5M'
    queueOperator: 'Include'
    queues: [
      'parked'
    ]
  }
  {
    name: 'lane-never-empty'
    description: 'A lane had messages waiting at every moment of an hour: nobody works on it, or more comes than goes.'
    severity: 2
    metric: 'ActiveMessages'
    aggregation: 'Minimum'
    threshold: 0
    window: 'PT1H'
    queueOperator: 'Exclude'
    queues: [
      'parked'
      'bulk'
    ]
  }
  {
    name: 'broker-errors'
    description: 'Service Bus failed to answer.'
    severity: 2
    metric: 'ServerErrors'
    aggregation: 'Total'
    threshold: 10
    window: 'PT15M'
    queueOperator: 'Include'
    queues: [
      '*'
    ]
  }
  {
    name: 'broker-throttles'
    description: 'Service Bus asks for patience: a Standard namespace has reached its limit.'
    severity: 3
    metric: 'ThrottledRequests'
    aggregation: 'Total'
    threshold: 100
    window: 'PT15M'
    queueOperator: 'Include'
    queues: [
      '*'
    ]
  }
]

resource alerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for rule in rules: {
  name: '${name}-${rule.name}'
  location: 'global'
  tags: tags
  properties: {
    description: rule.description
    severity: rule.severity
    enabled: true
    autoMitigate: true
    scopes: [
      serviceBusId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: rule.window
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: rule.name
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          metricName: rule.metric
          timeAggregation: rule.aggregation
          operator: 'GreaterThan'
          threshold: rule.threshold
          dimensions: [
            {
              name: 'EntityName'
              operator: rule.queueOperator
              values: rule.queues
            }
          ]
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}]
