# What the driver "ssh" runs on a host: one of the verbs below, in front of it
# the common part, each as the argument of powershell.exe -EncodedCommand. The
# text is always the same; what differs comes as one line of JSON on standard
# input, the answer is one line of JSON on standard output. Blocks of files
# follow either line as they are.
#
# Lines that begin with "# @" separate the parts. A command line has at most
# 8191 characters, so the parts are short.
# @COMMON@
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$source = New-Object -TypeName System.IO.BufferedStream -ArgumentList ([Console]::OpenStandardInput()), 65536
$target = [Console]::OpenStandardOutput()
function Read-Line {
    $bytes = New-Object -TypeName System.IO.MemoryStream
    for (;;) {
        $b = $source.ReadByte()
        if (($b -lt 0) -or ($b -eq 10)) { break }
        $bytes.WriteByte([byte] $b)
    }
    return [Text.Encoding]::UTF8.GetString($bytes.ToArray())
}
function Send-Line {
    param($text)
    $bytes = [Text.Encoding]::UTF8.GetBytes($text + [string] [char] 10)
    $target.Write($bytes, 0, $bytes.Length)
    $target.Flush()
}
function Get-Full {
    param($rel)
    return [IO.Path]::Combine([string] $data.root, ([string] $rel).Replace('/', [string] [IO.Path]::DirectorySeparatorChar))
}
$answer = @{ ok = $true }
$lines = @()
try {
    $data = Read-Line | ConvertFrom-Json
# @END@
}
catch {
    $answer = @{ ok = $false; error = [string] $_.Exception.Message }
    $lines = @()
}
Send-Line ($answer | ConvertTo-Json -Compress -Depth 4)
foreach ($line in $lines) { Send-Line $line }
# @DIGESTS@
function Get-Digests {
    param($path)
    $sha = [Security.Cryptography.SHA256]::Create()
    $all = New-Object -TypeName System.IO.MemoryStream
    $buffer = New-Object -TypeName 'byte[]' -ArgumentList 2097152
    $file = [IO.File]::Open($path, 'Open', 'Read', 'Read')
    try {
        for (;;) {
            $n = 0
            while ($n -lt $buffer.Length) {
                $k = $file.Read($buffer, $n, $buffer.Length - $n)
                if ($k -le 0) { break }
                $n += $k
            }
            if ($n -eq 0) { break }
            $hash = $sha.ComputeHash($buffer, 0, $n)
            $all.Write($hash, 0, $hash.Length)
        }
        return @($file.Length, [Convert]::ToBase64String($all.ToArray()))
    }
    finally { $file.Dispose() }
}
# @VERB kind@
$path = Get-Full $data.rel
$answer.kind = 'nothing'
if (Test-Path -LiteralPath $path -PathType Leaf) { $answer.kind = 'file' }
elseif (Test-Path -LiteralPath $path) { $answer.kind = 'folder' }
# @VERB digest@
$path = Get-Full $data.rel
$answer.size = -1
if (Test-Path -LiteralPath $path -PathType Leaf) {
    $found = @(Get-Digests $path)
    $answer.size = $found[0]
    $lines = @($found[1])
}
# @VERB prepare@
$answer.files = @()
foreach ($item in $data.files) {
    $have = ''
    $size = 0
    foreach ($which in @('part', 'old')) {
        if (($have -ne '') -or ($item.$which -eq '')) { continue }
        $path = Get-Full $item.$which
        if (-not (Test-Path -LiteralPath $path -PathType Leaf)) { continue }
        $have = $which
        $found = @(Get-Digests $path)
        $size = $found[0]
        $lines += $found[1]
    }
    $answer.files += @{ have = $have; size = $size }
}
# @VERB write@
$open = @{}
try {
    $index = 0
    foreach ($item in $data.files) {
        $path = Get-Full $item.part
        $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))
        if (($item.old -ne '') -and (-not [IO.File]::Exists($path))) {
            [IO.File]::Copy((Get-Full $item.old), $path)
        }
        if ([IO.File]::Exists($path)) { [IO.File]::SetAttributes($path, 'Normal') }
        $open[$index] = [IO.File]::Open($path, 'OpenOrCreate', 'ReadWrite', 'None')
        $index += 1
    }
    $buffer = New-Object -TypeName 'byte[]' -ArgumentList 2097152
    for (;;) {
        $line = Read-Line
        if ($line -eq 'end') { break }
        $head = $line.Split(' ')
        if ($head.Length -ne 3) { throw 'the connection was lost' }
        $file = $open[[int] $head[0]]
        $length = [int] $head[2]
        $n = 0
        while ($n -lt $length) {
            $k = $source.Read($buffer, $n, $length - $n)
            if ($k -le 0) { throw 'the connection was lost' }
            $n += $k
        }
        $null = $file.Seek([long] $head[1], 'Begin')
        $file.Write($buffer, 0, $length)
    }
    $index = 0
    foreach ($item in $data.files) {
        $open[$index].SetLength([long] $item.size)
        $open[$index].Flush($true)
        $index += 1
    }
}
finally {
    foreach ($file in $open.Values) { $file.Dispose() }
}
foreach ($item in $data.files) {
    $found = @(Get-Digests (Get-Full $item.part))
    $lines += $found[1]
}
# @VERB publish@
$from = Get-Full $data.from
$to = Get-Full $data.to
if ([IO.Directory]::Exists($from)) { [IO.Directory]::Move($from, $to) }
elseif ([IO.File]::Exists($to)) { [IO.File]::Replace($from, $to, [NullString]::Value) }
else {
    $null = [IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($to))
    [IO.File]::Move($from, $to)
}
# @VERB seal@
[IO.File]::SetAttributes((Get-Full $data.rel), 'ReadOnly')
# @VERB get@
$file = [IO.File]::Open((Get-Full $data.rel), 'Open', 'Read', 'Read')
try {
    if ($file.Length -gt $data.max) { throw ('{0} bytes, at most {1} are read' -f $file.Length, $data.max) }
    Send-Line (@{ ok = $true; size = $file.Length } | ConvertTo-Json -Compress)
    $file.CopyTo($target)
    $target.Flush()
}
finally { $file.Dispose() }
# @VERB remove_files@
$path = Get-Full $data.rel
if (Test-Path -LiteralPath $path) { Remove-Item -LiteralPath $path -Recurse -Force }
# @VERB list@
$answer.files = @()
$path = Get-Full $data.rel
if (Test-Path -LiteralPath $path -PathType Container) {
    foreach ($item in @(Get-ChildItem -LiteralPath $path)) {
        $size = 0
        if (-not $item.PSIsContainer) { $size = $item.Length }
        $time = ([DateTimeOffset] $item.LastWriteTimeUtc).ToUnixTimeMilliseconds()
        $answer.files += @{ name = $item.Name; size = $size; mtime = $time; folder = $item.PSIsContainer }
    }
}
# @MACHINE@
function Find-Machine {
    $file = [IO.Path]::Combine((Get-Full $data.machine), ('{0}.json' -f $data.machine))
    $text = Get-Content -LiteralPath $file -Raw -Encoding UTF8
    $marker = 'v2v-id: {0}' -f ($text | ConvertFrom-Json).id
    return @(Hyper-V\Get-VM | Where-Object { ($null -ne $_.Notes) -and $_.Notes.Contains($marker) })
}
# @VERB register@
if (@(Find-Machine).Count -eq 0) {
    $script = [IO.Path]::Combine((Get-Full $data.machine), ('New-{0}.ps1' -f $data.machine))
    $null = & $script -Confirm:$false
}
# @VERB start@
$found = @(Find-Machine)
if ($found.Count -eq 0) { throw 'the machine is not registered' }
if ([string] $found[0].State -ne 'Running') { Hyper-V\Start-VM -VM $found[0] }
# @VERB stop@
$found = @(Find-Machine)
if (($found.Count -gt 0) -and ([string] $found[0].State -ne 'Off')) {
    if ($data.force) { Hyper-V\Stop-VM -VM $found[0] -TurnOff -Force }
    else { Hyper-V\Stop-VM -VM $found[0] -Force }
}
# @VERB unregister@
$found = @(Find-Machine)
if ($found.Count -gt 0) {
    if ([string] $found[0].State -ne 'Off') { throw 'the machine is running' }
    Hyper-V\Remove-VM -VM $found[0] -Force
}
# @VERB state@
$answer.state = 'absent'
if (Test-Path -LiteralPath (Get-Full $data.machine) -PathType Container) {
    $found = @(Find-Machine)
    $answer.state = 'unknown'
    if ($found.Count -gt 0) {
        $answer.state = 'running'
        if ([string] $found[0].State -eq 'Off') { $answer.state = 'off' }
    }
}
