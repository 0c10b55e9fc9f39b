metadata description = 'The picture of what happens: lanes, lag, engine calls, opt-outs, deletions.'

param name string
param location string
param tags object
param workspaceId string

var tiles = [
  {
    title: 'Settled messages by lane and reason'
    query: loadTextContent('../queries/workbook/lanes.kql')
    picture: 'barchart'
  }
  {
    title: 'Lag by lane, in seconds (p50, p95)'
    query: loadTextContent('../queries/workbook/lag.kql')
    picture: 'timechart'
  }
  {
    title: 'Engine calls to Campaign, and requests to Dynamics'
    query: loadTextContent('../queries/workbook/calls.kql')
    picture: 'timechart'
  }
  {
    title: 'Opt-outs'
    query: loadTextContent('../queries/workbook/optouts.kql')
    picture: 'barchart'
  }
  {
    title: 'Deletions'
    query: loadTextContent('../queries/workbook/deletions.kql')
    picture: 'barchart'
  }
  {
    title: 'What waits: retried and parked'
    query: loadTextContent('../queries/workbook/waiting.kql')
    picture: 'table'
  }
  {
    title: 'Alarms'
    query: loadTextContent('../queries/workbook/alarms.kql')
    picture: 'table'
  }
  {
    title: 'Timers: the last good run of each'
    query: loadTextContent('../queries/workbook/timers.kql')
    picture: 'table'
  }
]

// A loop cannot stand inside a function's argument, hence a variable of its own.
var tilesShown = [for (tile, number) in tiles: {
  type: 3
  name: 'tile-${number}'
  content: {
    version: 'KqlItem/1.0'
    title: tile.title
    query: tile.query
    size: 0
    timeContext: {
      durationMs: 86400000
    }
    queryType: 0
    resourceType: 'microsoft.operationalinsights/workspaces'
    visualization: tile.picture
  }
}]
var notebook = {
  version: 'Notebook/1.0'
  '$schema': 'https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json'
  fallbackResourceIds: [
    workspaceId
  ]
  items: tilesShown
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: '${name}: lanes, lag, engine calls, opt-outs, deletions'
    category: 'workbook'
    sourceId: workspaceId
    serializedData: string(notebook)
  }
}
