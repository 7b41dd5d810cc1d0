<#
.SYNOPSIS
Does what v2v left to do for the machines in the folders beside this script.

.DESCRIPTION
Written by v2v. Each machine is a folder; a file v2v-request.json in it says
what is to be done: register, start, stop or remove. The request is removed
when it was done, and what came of it is in v2v-state.json. Without a request
only the state is written. Run it in an elevated PowerShell, or as a scheduled
task.

.EXAMPLE
v2v-requests.ps1
#>
[CmdletBinding()]
param()
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

function Find-Machine {
    param($folder, $name)
    $file = Join-Path -Path $folder -ChildPath ('{0}.json' -f $name)
    $text = Get-Content -LiteralPath $file -Raw -Encoding UTF8
    $marker = 'v2v-id: {0}' -f ($text | ConvertFrom-Json).id
    return @(Hyper-V\Get-VM | Where-Object { ($null -ne $_.Notes) -and $_.Notes.Contains($marker) })
}

function Get-State {
    param($found)
    if ($found.Count -eq 0) { return 'absent' }
    if ([string] $found[0].State -eq 'Off') { return 'off' }
    return 'running'
}

function Invoke-Request {
    param($folder, $name, $request)
    $found = @(Find-Machine $folder $name)
    if (($request.action -eq 'register') -or (($request.action -eq 'start') -and ($found.Count -eq 0))) {
        $script = Join-Path -Path $folder -ChildPath ('New-{0}.ps1' -f $name)
        $null = & $script -Confirm:$false
        $found = @(Find-Machine $folder $name)
    }
    if ($request.action -eq 'start') {
        Hyper-V\Start-VM -VM $found[0]
    }
    if (($request.action -eq 'stop') -and ($found.Count -gt 0)) {
        if ($request.force) { Hyper-V\Stop-VM -VM $found[0] -TurnOff -Force }
        else { Hyper-V\Stop-VM -VM $found[0] -Force }
    }
    if (($request.action -eq 'remove') -and ($found.Count -gt 0)) {
        if ([string] $found[0].State -ne 'Off') { throw 'the machine is running' }
        Hyper-V\Remove-VM -VM $found[0] -Force
    }
}

function Write-State {
    param($folder, $state, $problem)
    $file = Join-Path -Path $folder -ChildPath 'v2v-state.json'
    $text = @{ state = $state; error = $problem } | ConvertTo-Json -Compress
    [IO.File]::WriteAllText($file, $text)
}

foreach ($item in @(Get-ChildItem -LiteralPath $PSScriptRoot -Directory)) {
    $folder = $item.FullName
    $name = $item.Name
    $description = Join-Path -Path $folder -ChildPath ('{0}.json' -f $name)
    if (-not (Test-Path -LiteralPath $description -PathType Leaf)) { continue }
    $file = Join-Path -Path $folder -ChildPath 'v2v-request.json'
    $problem = ''
    $state = 'unknown'
    try {
        if (Test-Path -LiteralPath $file -PathType Leaf) {
            $request = Get-Content -LiteralPath $file -Raw -Encoding UTF8 | ConvertFrom-Json
            Invoke-Request $folder $name $request
            Remove-Item -LiteralPath $file
        }
        $state = Get-State @(Find-Machine $folder $name)
    }
    catch {
        $problem = [string] $_.Exception.Message
    }
    Write-State $folder $state $problem
}
