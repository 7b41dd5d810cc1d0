<#
.SYNOPSIS
Makes the Hyper-V machine from the disks beside this script.

.DESCRIPTION
Written by v2v. Checks this host first, and changes nothing when something is
missing. A second run finds the machine that the first one made and changes
nothing. When a step fails the half-made machine is removed; the disks are
kept in any case.

.PARAMETER Path
Folder for the configuration of the machine. Default: that of the host.

.PARAMETER Name
Name of the machine. Default: the name it had.

.PARAMETER VhdPath
Folder that holds the disks. Default: the folder of this script.

.PARAMETER SwitchName
Switch for the networks that nothing else names.

.PARAMETER SwitchMap
Switch by network of the source: @{ 'VM Network' = 'External' }. An empty
string leaves the adapter disconnected.

.PARAMETER Force
Make it although there is a machine of this name, or one with the same network
address.

.PARAMETER Start
Start it when it is made.

.EXAMPLE
New-NAME.ps1 -WhatIf

.EXAMPLE
New-NAME.ps1 -SwitchMap @{ 'VM Network' = 'External' } -Path D:\VM -Start
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
param(
    [string] $Path = '',
    [string] $Name = '',
    [string] $VhdPath = '',
    [string] $SwitchName = '',
    [hashtable] $SwitchMap = @{},
    [switch] $Force,
    [switch] $Start
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# All that is known of the machine. Below it is code that is the same in every
# script of this kind.
# @DATA@

$marker = 'v2v-id: {0}' -f $data.Id
$unfinished = 'v2v-unfinished: {0}' -f $data.Id
if ($Name -eq '') { $Name = $data.Name }
if ($VhdPath -eq '') { $VhdPath = $PSScriptRoot }
$build = [Environment]::OSVersion.Version.Build

# ---- what the data comes to on this host ----

function Get-DiskPath {
    param($disk)
    return (Join-Path -Path $VhdPath -ChildPath $disk.File)
}

# The name of the switch of an adapter; empty: disconnected.
function Get-SwitchOf {
    param($nic)
    if ($SwitchMap.ContainsKey($nic.Network)) { return [string] $SwitchMap[$nic.Network] }
    if ($nic.Switch -ne '') { return $nic.Switch }
    if ($nic.Unmapped) { return $SwitchName }
    return ''
}

# ---- checks: each writes a sentence for what is wrong ----

function Test-Privilege {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object -TypeName Security.Principal.WindowsPrincipal -ArgumentList $identity
    $administrators = [Security.Principal.SecurityIdentifier] 'S-1-5-32-544'
    $hypervAdministrators = [Security.Principal.SecurityIdentifier] 'S-1-5-32-578'
    if (-not ($principal.IsInRole($administrators) -or $principal.IsInRole($hypervAdministrators))) {
        Write-Output -InputObject 'Run this in an elevated PowerShell, or as a member of Hyper-V Administrators.'
    }
}

function Test-Capacity {
    $vmHost = Hyper-V\Get-VMHost
    $maximum = 2048
    if ($data.Generation -eq 1) { $maximum = 64 }
    elseif ($build -lt 20348) { $maximum = 240 }
    elseif ($build -lt 26100) { $maximum = 1024 }
    if ($data.Processors.Number -gt $maximum) {
        Write-Output -InputObject ('{0} processors: this version of Hyper-V allows {1}.' -f $data.Processors.Number, $maximum)
    }
    if ($data.Processors.Number -gt $vmHost.LogicalProcessorCount) {
        Write-Output -InputObject ('{0} processors: this host has {1}.' -f $data.Processors.Number, $vmHost.LogicalProcessorCount)
    }
    if ($data.Memory.Startup -gt $vmHost.MemoryCapacity) {
        Write-Output -InputObject ('{0} bytes of memory: this host has {1}.' -f $data.Memory.Startup, $vmHost.MemoryCapacity)
    }
    if (($data.Generation -eq 2) -and ($build -lt 17763) -and (@($data.Nics).Count -gt 8)) {
        Write-Output -InputObject 'More than 8 network adapters need Windows Server 2019 or later.'
    }
}

function Test-Disk {
    param($disk)
    $full = Get-DiskPath $disk
    if (-not (Test-Path -LiteralPath $full -PathType Leaf)) {
        Write-Output -InputObject ('{0}: the disk is missing.' -f $full)
        return
    }
    $attributes = (Get-Item -LiteralPath $full -Force).Attributes
    if (($attributes -band [IO.FileAttributes]::SparseFile) -ne 0) {
        Write-Output -InputObject ('{0}: is a sparse file, which Hyper-V refuses. Run: fsutil sparse setflag {0} 0' -f $full)
        return
    }
    if (($attributes -band [IO.FileAttributes]::Compressed) -ne 0) {
        Write-Output -InputObject ('{0}: is compressed, which Hyper-V refuses. Run: compact /u {0}' -f $full)
        return
    }
    if (($attributes -band [IO.FileAttributes]::Encrypted) -ne 0) {
        Write-Output -InputObject ('{0}: is encrypted, which Hyper-V refuses. Run: cipher /d {0}' -f $full)
        return
    }
    if (-not (Hyper-V\Test-VHD -Path $full -ErrorAction SilentlyContinue)) {
        Write-Output -InputObject ('{0}: is damaged, or one of its parents is missing.' -f $full)
        return
    }
    $size = (Hyper-V\Get-VHD -Path $full).Size
    if (($disk.Size -ne 0) -and ($size -lt $disk.Size)) {
        Write-Output -InputObject ('{0}: has {1} bytes, expected {2}.' -f $full, $size, $disk.Size)
    }
}

function Test-Network {
    param($rest)
    $known = @(Hyper-V\Get-VMSwitch | ForEach-Object { $_.Name })
    foreach ($nic in $data.Nics) {
        $wanted = Get-SwitchOf $nic
        if (($wanted -ne '') -and ($known -notcontains $wanted)) {
            Write-Output -InputObject ('{0}: there is no switch {1}. Use -SwitchMap for network {2}.' -f $nic.Name, $wanted, $nic.Network)
        }
    }
    foreach ($entry in $SwitchMap.GetEnumerator()) {
        if (@($data.Nics | Where-Object { $_.Network -eq $entry.Key }).Count -eq 0) {
            Write-Output -InputObject ('-SwitchMap names network {0}, which this machine does not have.' -f $entry.Key)
        }
    }
    if ($Force) { return }
    $ids = @($rest | ForEach-Object { $_.Id })
    $others = @(Hyper-V\Get-VM | Where-Object { $ids -notcontains $_.Id })
    $used = @($others | Hyper-V\Get-VMNetworkAdapter | ForEach-Object { $_.MacAddress })
    foreach ($nic in $data.Nics) {
        if (($nic.Mac -ne '') -and ($used -contains $nic.Mac)) {
            Write-Output -InputObject ('{0}: address {1} is in use on this host. Use -Force to keep it all the same.' -f $nic.Name, $nic.Mac)
        }
    }
}

function Test-Everything {
    param($rest)
    if ($build -lt 14393) {
        Write-Output -InputObject 'Windows Server 2016, Windows 10 1607 or later is needed.'
        return
    }
    Test-Privilege
    Test-Capacity
    foreach ($disk in $data.Disks) { Test-Disk $disk }
    foreach ($dvd in $data.Dvds) {
        if (($dvd.File -ne '') -and (-not (Test-Path -LiteralPath (Get-DiskPath $dvd) -PathType Leaf))) {
            Write-Output -InputObject ('{0}: the CD image is missing.' -f (Get-DiskPath $dvd))
        }
    }
    Test-Network $rest
}

# ---- steps ----

function Add-Disks {
    param($vm)
    $have = @(Hyper-V\Get-VMScsiController -VM $vm).Count
    for ($i = $have; $i -lt $data.ScsiControllers; $i += 1) {
        Hyper-V\Add-VMScsiController -VM $vm
    }
    foreach ($disk in $data.Disks) {
        Hyper-V\Add-VMHardDiskDrive -VM $vm -ControllerType $disk.Bus -ControllerNumber $disk.Controller -ControllerLocation $disk.Location -Path (Get-DiskPath $disk)
    }
    foreach ($dvd in $data.Dvds) {
        $arguments = @{ VM = $vm; ControllerNumber = $dvd.Controller; ControllerLocation = $dvd.Location }
        if ($dvd.File -ne '') { $arguments['Path'] = Get-DiskPath $dvd }
        Hyper-V\Add-VMDvdDrive @arguments
    }
}

function Add-Nics {
    param($vm)
    foreach ($nic in $data.Nics) {
        $arguments = @{ VM = $vm; Name = $nic.Name; Passthru = $true }
        if ($nic.Legacy) { $arguments['IsLegacy'] = $true }
        if ($nic.Mac -ne '') { $arguments['StaticMacAddress'] = $nic.Mac }
        $adapter = Hyper-V\Add-VMNetworkAdapter @arguments
        if ($nic.Spoofing) {
            Hyper-V\Set-VMNetworkAdapter -VMNetworkAdapter $adapter -MacAddressSpoofing On
        }
        if ($nic.VlanMode -eq 'Access') {
            Hyper-V\Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter -Access -VlanId $nic.Vlan
        }
        if ($nic.VlanMode -eq 'Trunk') {
            Hyper-V\Set-VMNetworkAdapterVlan -VMNetworkAdapter $adapter -Trunk -AllowedVlanIdList '1-4094' -NativeVlanId 0
        }
        $wanted = Get-SwitchOf $nic
        if ($wanted -ne '') {
            $found = Hyper-V\Get-VMSwitch | Where-Object { $_.Name -eq $wanted } | Select-Object -First 1
            Hyper-V\Connect-VMNetworkAdapter -VMNetworkAdapter $adapter -VMSwitch $found
        }
        else {
            Write-Warning -Message ('{0} (network {1}) is not connected to a switch.' -f $nic.Name, $nic.Network)
        }
    }
}

function Set-Processor {
    param($vm)
    Hyper-V\Set-VMProcessor -VM $vm -Count $data.Processors.Number -CompatibilityForMigrationEnabled $data.Processors.Migration -CompatibilityForOlderOperatingSystemsEnabled $data.Processors.OlderSystems
    if ($data.Processors.Nested) {
        Hyper-V\Set-VMProcessor -VM $vm -ExposeVirtualizationExtensions $true
    }
    if ($data.Processors.Weight -ne 0) {
        Hyper-V\Set-VMProcessor -VM $vm -RelativeWeight $data.Processors.Weight
    }
}

function Set-Memory {
    param($vm)
    if ($data.Memory.Dynamic) {
        Hyper-V\Set-VMMemory -VM $vm -DynamicMemoryEnabled $true -StartupBytes $data.Memory.Startup -MinimumBytes $data.Memory.Minimum -MaximumBytes $data.Memory.Maximum
    }
    else {
        Hyper-V\Set-VMMemory -VM $vm -DynamicMemoryEnabled $false -StartupBytes $data.Memory.Startup
    }
}

function Get-BootDevice {
    param($vm, $item)
    if ($item.Kind -eq 'Disk') {
        $disk = @($data.Disks)[$item.Index]
        return (Hyper-V\Get-VMHardDiskDrive -VM $vm -ControllerType $disk.Bus -ControllerNumber $disk.Controller -ControllerLocation $disk.Location)
    }
    if ($item.Kind -eq 'Dvd') {
        $dvd = @($data.Dvds)[$item.Index]
        return (Hyper-V\Get-VMDvdDrive -VM $vm -ControllerNumber $dvd.Controller -ControllerLocation $dvd.Location)
    }
    $nic = @($data.Nics)[$item.Index]
    return (Hyper-V\Get-VMNetworkAdapter -VM $vm | Where-Object { $_.Name -eq $nic.Name })
}

# Generation 2: the boot order needs the devices, the TPM needs a key protector.
function Set-Firmware {
    param($vm)
    $order = @()
    foreach ($item in $data.Boot) { $order += Get-BootDevice $vm $item }
    if ($order.Count -gt 0) {
        Hyper-V\Set-VMFirmware -VM $vm -BootOrder $order
    }
    if ($data.SecureBoot.Enabled) {
        Hyper-V\Set-VMFirmware -VM $vm -EnableSecureBoot On -SecureBootTemplate $data.SecureBoot.Template
    }
    else {
        Hyper-V\Set-VMFirmware -VM $vm -EnableSecureBoot Off
    }
    if ($data.Tpm) {
        Hyper-V\Set-VMKeyProtector -VM $vm -NewLocalKeyProtector
        Hyper-V\Enable-VMTPM -VM $vm
    }
}

function Set-Policies {
    param($vm)
    foreach ($com in $data.ComPorts) {
        Hyper-V\Set-VMComPort -VM $vm -Number $com.Number -Path $com.Pipe
    }
    if (-not $data.TimeSync) {
        # The names of these services are translated; the end of the id is not.
        Hyper-V\Get-VMIntegrationService -VM $vm | Where-Object { $_.Id -like '*2497F4DE-E9FA-4204-80E4-4B75C46419C0' } | Hyper-V\Disable-VMIntegrationService
    }
    $arguments = @{
        VM = $vm
        AutomaticStartAction = $data.StartAction
        AutomaticStartDelay = $data.StartDelay
        AutomaticStopAction = $data.StopAction
        CheckpointType = $data.CheckpointType
    }
    if ((Get-Command -Name 'Hyper-V\Set-VM').Parameters.ContainsKey('AutomaticCheckpointsEnabled')) {
        $arguments['AutomaticCheckpointsEnabled'] = $false
    }
    Hyper-V\Set-VM @arguments
}

# What else a hardware profile asks for: a parameter of a cmdlet each.
function Set-Rest {
    param($vm)
    foreach ($item in $data.Settings) {
        $arguments = @{}
        $arguments[$item.Parameter] = $item.Value
        if ($item.Cmdlet -eq 'Processor') { Hyper-V\Set-VMProcessor -VM $vm @arguments }
        elseif ($item.Cmdlet -eq 'Memory') { Hyper-V\Set-VMMemory -VM $vm @arguments }
        elseif ($item.Cmdlet -eq 'Machine') { Hyper-V\Set-VM -VM $vm @arguments }
        elseif ($item.Cmdlet -eq 'Firmware') { Hyper-V\Set-VMFirmware -VM $vm @arguments }
        elseif ($item.Cmdlet -eq 'Bios') { Hyper-V\Set-VMBios -VM $vm @arguments }
        elseif ($item.Cmdlet -eq 'Security') { Hyper-V\Set-VMSecurity -VM $vm @arguments }
        elseif ($item.Cmdlet -eq 'Adapter') {
            $nic = @($data.Nics)[$item.Adapter]
            Hyper-V\Get-VMNetworkAdapter -VM $vm | Where-Object { $_.Name -eq $nic.Name } | Hyper-V\Set-VMNetworkAdapter @arguments
        }
        else {
            $service = Hyper-V\Get-VMIntegrationService -VM $vm | Where-Object { $_.Id -like ('*{0}' -f $item.Parameter) }
            if ($item.Value) { $service | Hyper-V\Enable-VMIntegrationService }
            else { $service | Hyper-V\Disable-VMIntegrationService }
        }
    }
}

# ---- all of it ----

if (-not (Get-Module -ListAvailable -Name 'Hyper-V')) {
    throw 'The Hyper-V module is missing: add the feature Hyper-V-PowerShell.'
}
Import-Module -Name 'Hyper-V'

$all = @(Hyper-V\Get-VM)
$mine = @($all | Where-Object { ($null -ne $_.Notes) -and $_.Notes.Contains($marker) })
if ($mine.Count -gt 0) {
    Write-Warning -Message ('{0} was made by this script before. Nothing is changed.' -f $mine[0].Name)
    return $mine[0]
}
$rest = @($all | Where-Object { ($null -ne $_.Notes) -and $_.Notes.Contains($unfinished) })
$same = @($all | Where-Object { ($_.Name -eq $Name) -and (-not ($_.Notes -like ('*{0}*' -f $unfinished))) })
if (($same.Count -gt 0) -and (-not $Force)) {
    throw ('There is a machine named {0}. Use -Name for another name, or -Force.' -f $Name)
}
$problems = @(Test-Everything $rest)
if ($problems.Count -gt 0) {
    throw ('{0} cannot be made here: {1}' -f $Name, ($problems -join ' '))
}
if (-not $PSCmdlet.ShouldProcess($Name, 'Create the virtual machine')) { return }

foreach ($old in $rest) {
    # What an interrupted run left behind: it never was a whole machine.
    Hyper-V\Remove-VM -VM $old -Force
}
$vm = $null
try {
    # Made under a name that is safe for a folder, and renamed at the end.
    $arguments = @{
        Name = $data.FolderName
        Generation = $data.Generation
        MemoryStartupBytes = $data.Memory.Startup
        NoVHD = $true
    }
    if ($Path -ne '') { $arguments['Path'] = $Path }
    $vm = Hyper-V\New-VM @arguments
    Hyper-V\Set-VM -VM $vm -Notes $unfinished
    # New-VM adds an adapter, and in generation 1 a DVD drive.
    Hyper-V\Get-VMNetworkAdapter -VM $vm | Hyper-V\Remove-VMNetworkAdapter
    Hyper-V\Get-VMDvdDrive -VM $vm | Hyper-V\Remove-VMDvdDrive
    Set-Processor $vm
    Set-Memory $vm
    Add-Disks $vm
    Add-Nics $vm
    if ($data.Generation -eq 2) { Set-Firmware $vm }
    else { Hyper-V\Set-VMBios -VM $vm -StartupOrder $data.StartupOrder }
    Set-Policies $vm
    Set-Rest $vm
    Hyper-V\Rename-VM -VM $vm -NewName $Name
    Hyper-V\Set-VM -VM $vm -Notes $data.Notes
}
catch {
    if ($null -ne $vm) {
        Write-Warning -Message 'A step failed: the half-made machine is removed, the disks are kept.'
        Hyper-V\Remove-VM -VM $vm -Force -ErrorAction Continue
    }
    throw
}
if ($Start) { Hyper-V\Start-VM -VM $vm }
return (Hyper-V\Get-VM -Id $vm.Id)
